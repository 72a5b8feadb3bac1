"""Languages by tag: English name and usual script, and the three-letter codes that stand for two-letter ones.

Scripts follow the likely subtags of Unicode CLDR, names its English display names; the codes are ISO 639-3 and its
bibliographic forms (ISO 639-2/B).
"""

LANGUAGES = """
aa Afar Latn | ab Abkhazian Cyrl | ace Acehnese Latn | acm Mesopotamian_Arabic Arab | acq Ta'izzi-Adeni_Arabic Arab
ae Avestan Avst | aeb Tunisian_Arabic Arab | af Afrikaans Latn | ajp South_Levantine_Arabic Arab | ak Akan Latn
am Amharic Ethi | an Aragonese Latn | apc North_Levantine_Arabic Arab | ar Arabic Arab | arq Algerian_Arabic Arab
ars Najdi_Arabic Arab | ary Moroccan_Arabic Arab | arz Egyptian_Arabic Arab | as Assamese Beng | ast Asturian Latn
av Avaric Cyrl | awa Awadhi Deva | ay Aymara Latn | az Azerbaijani Latn | azb South_Azerbaijani Arab | ba Bashkir Cyrl
ban Balinese Latn | bcl Central_Bikol Latn | be Belarusian Cyrl | bem Bemba Latn | bg Bulgarian Cyrl
bho Bhojpuri Deva | bi Bislama Latn | bjn Banjar Latn | bm Bambara Latn | bn Bangla Beng | bo Tibetan Tibt
br Breton Latn | brx Bodo Deva | bs Bosnian Latn | bug Buginese Latn | ca Catalan Latn | ce Chechen Cyrl
ceb Cebuano Latn | ch Chamorro Latn | cjk Chokwe Latn | ckb Central_Kurdish Arab | co Corsican Latn | cr Cree Cans
crh Crimean_Tatar Cyrl | cs Czech Latn | cu Church_Slavic Cyrl | cv Chuvash Cyrl | cy Welsh Latn | da Danish Latn
de German Latn | din Dinka Latn | doi Dogri Deva | dsb Lower_Sorbian Latn | dv Divehi Thaa | dyu Dyula Latn
dz Dzongkha Tibt | ee Ewe Latn | el Greek Grek | en English Latn | eo Esperanto Latn | es Spanish Latn
et Estonian Latn | eu Basque Latn | fa Persian Arab | ff Fula Latn | fi Finnish Latn | fil Filipino Latn
fj Fijian Latn | fo Faroese Latn | fon Fon Latn | fr French Latn | fur Friulian Latn | fuv Nigerian_Fulfulde Latn
fy Western_Frisian Latn | ga Irish Latn | gd Scottish_Gaelic Latn | gl Galician Latn | gn Guarani Latn
gsw Swiss_German Latn | gu Gujarati Gujr | gv Manx Latn | ha Hausa Latn | he Hebrew Hebr | hi Hindi Deva
hil Hiligaynon Latn | hne Chhattisgarhi Deva | ho Hiri_Motu Latn | hr Croatian Latn | hsb Upper_Sorbian Latn
ht Haitian_Creole Latn | hu Hungarian Latn | hy Armenian Armn | hz Herero Latn | ia Interlingua Latn
id Indonesian Latn | ie Interlingue Latn | ig Igbo Latn | ii Sichuan_Yi Yiii | ik Inupiaq Latn | ilo Iloko Latn
io Ido Latn | is Icelandic Latn | it Italian Latn | iu Inuktitut Cans | ja Japanese Jpan | jv Javanese Latn
ka Georgian Geor | kab Kabyle Latn | kac Kachin Latn | kam Kamba Latn | kbp Kabiyè Latn | kea Kabuverdianu Latn
kg Kongo Latn | ki Kikuyu Latn | kj Kuanyama Latn | kk Kazakh Cyrl | kl Kalaallisut Latn | km Khmer Khmr
kmb Kimbundu Latn | kn Kannada Knda | ko Korean Kore | kok Konkani Deva | kr Kanuri Latn | kri Krio Latn
ks Kashmiri Arab | ku Kurdish Latn | kv Komi Cyrl | kw Cornish Latn | ky Kyrgyz Cyrl | la Latin Latn
lb Luxembourgish Latn | lg Ganda Latn | li Limburgish Latn | lij Ligurian Latn | lmo Lombard Latn | ln Lingala Latn
lo Lao Laoo | loz Lozi Latn | lt Lithuanian Latn | ltg Latgalian Latn | lu Luba-Katanga Latn | lua Luba-Lulua Latn
luo Luo Latn | lus Mizo Latn | lv Latvian Latn | mag Magahi Deva | mai Maithili Deva | mg Malagasy Latn
mh Marshallese Latn | mi Māori Latn | min Minangkabau Latn | mk Macedonian Cyrl | ml Malayalam Mlym
mn Mongolian Cyrl | mni Manipuri Beng | mos Mossi Latn | mr Marathi Deva | ms Malay Latn | mt Maltese Latn
my Burmese Mymr | na Nauru Latn | nb Norwegian_Bokmål Latn | nd North_Ndebele Latn | nds Low_German Latn
ne Nepali Deva | ng Ndonga Latn | nl Dutch Latn | nn Norwegian_Nynorsk Latn | no Norwegian Latn | nqo N’Ko Nkoo
nr South_Ndebele Latn | nso Northern_Sotho Latn | nus Nuer Latn | nv Navajo Latn | ny Nyanja Latn | nyn Nyankole Latn
oc Occitan Latn | oj Ojibwa Cans | om Oromo Latn | or Odia Orya | os Ossetic Cyrl | pa Punjabi Guru
pag Pangasinan Latn | pap Papiamento Latn | pcm Nigerian_Pidgin Latn | pi Pali Sinh | pl Polish Latn | prs Dari Arab
ps Pashto Arab | pt Portuguese Latn | qu Quechua Latn | quy Ayacucho_Quechua Latn | rm Romansh Latn | rn Rundi Latn
ro Romanian Latn | ru Russian Cyrl | rw Kinyarwanda Latn | sa Sanskrit Deva | sah Yakut Cyrl | sat Santali Olck
sc Sardinian Latn | scn Sicilian Latn | sd Sindhi Arab | se Northern_Sami Latn | sg Sango Latn | shn Shan Mymr
si Sinhala Sinh | sk Slovak Latn | sl Slovenian Latn | sm Samoan Latn | sn Shona Latn | so Somali Latn
sq Albanian Latn | sr Serbian Cyrl | ss Swati Latn | st Southern_Sotho Latn | su Sundanese Latn | sv Swedish Latn
sw Swahili Latn | szl Silesian Latn | ta Tamil Taml | taq Tamasheq Latn | te Telugu Telu | teo Teso Latn
tet Tetum Latn | tg Tajik Cyrl | th Thai Thai | ti Tigrinya Ethi | tk Turkmen Latn | tn Tswana Latn | to Tongan Latn
toi Tonga Latn | tpi Tok_Pisin Latn | tr Turkish Latn | ts Tsonga Latn | tt Tatar Cyrl | tum Tumbuka Latn
ty Tahitian Latn | tzm Central_Atlas_Tamazight Latn | ug Uyghur Arab | uk Ukrainian Cyrl
umb Umbundu Latn | ur Urdu Arab | uz Uzbek Latn | ve Venda Latn | vec Venetian Latn | vi Vietnamese Latn
vmw Makhuwa Latn | vo Volapük Latn | wa Walloon Latn | war Waray Latn | wo Wolof Latn | xh Xhosa Latn
yi Yiddish Hebr | yo Yoruba Latn | yue Cantonese Hant | za Zhuang Latn | zh Chinese Hans | zu Zulu Latn
"""
"""`tag name script`, spaces in names as underscores. A tag outside the table is as good; its name is then unknown."""

SHORTER = """
aar aa | abk ab | afr af | aka ak | alb sq | amh am | ara ar | arg an | arm hy | asm as | ava av | ave ae | aym ay
aze az | bak ba | bam bm | baq eu | bel be | ben bn | bis bi | bod bo | bos bs | bre br | bul bg | bur my | cat ca
ces cs | cha ch | che ce | chi zh | chu cu | chv cv | cor kw | cos co | cre cr | cym cy | cze cs | dan da | deu de
div dv | dut nl | dzo dz | ell el | eng en | epo eo | est et | eus eu | ewe ee | fao fo | fas fa | fij fj | fin fi
fra fr | fre fr | fry fy | ful ff | geo ka | ger de | gla gd | gle ga | glg gl | glv gv | gre el | grn gn | guj gu
hat ht | hau ha | heb he | her hz | hin hi | hmo ho | hrv hr | hun hu | hye hy | ibo ig | ice is | ido io | iii ii
iku iu | ile ie | ina ia | ind id | ipk ik | isl is | ita it | jav jv | jpn ja | kal kl | kan kn | kas ks | kat ka
kau kr | kaz kk | khm km | kik ki | kin rw | kir ky | kom kv | kon kg | kor ko | kua kj | kur ku | lao lo | lat la
lav lv | lim li | lin ln | lit lt | ltz lb | lub lu | lug lg | mac mk | mah mh | mal ml | mao mi | mar mr | may ms
mkd mk | mlg mg | mlt mt | mon mn | mri mi | msa ms | mya my | nau na | nav nv | nbl nr | nde nd | ndo ng | nep ne
nld nl | nno nn | nob nb | nor no | nya ny | oci oc | oji oj | ori or | orm om | oss os | pan pa | per fa | pli pi
pol pl | por pt | pus ps | que qu | roh rm | ron ro | rum ro | run rn | rus ru | sag sg | san sa | sin si | slk sk
slo sk | slv sl | sme se | smo sm | sna sn | snd sd | som so | sot st | spa es | sqi sq | srd sc | srp sr | ssw ss
sun su | swa sw | swe sv | tah ty | tam ta | tat tt | tel te | tgk tg | tha th | tib bo | tir ti | ton to | tsn tn
tso ts | tuk tk | tur tr | uig ug | ukr uk | urd ur | uzb uz | ven ve | vie vi | vol vo | wel cy | wln wa
wol wo | xho xh | yid yi | yor yo | zha za | zho zh | zul zu
"""
"""ISO 639-3 → ISO 639-1: BCP 47 wants the shortest code."""
