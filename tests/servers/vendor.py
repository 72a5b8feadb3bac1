"""A vendor of batches on loopback, as far as batches go: files, batches, their results."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from servers.loopback import Answer, Seen, chat


class Vendor:
    """OpenAI's files and batches, small: results come in reverse order, some as errors, some not at all."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.fate: Callable[[int], str] = lambda number: "good"
        self.state = "completed"

    def __call__(self, seen: Seen) -> Answer:
        if seen.path == "/v1/files":
            name = f"file-{len(self.files)}"
            self.files[name] = re.split(rb"\r\n\r\n", seen.body.split(b'filename="', 1)[1], maxsplit=1)[1].rsplit(
                b"\r\n--", 2
            )[0]
            return Answer(200, {"id": name, "object": "file", "purpose": "batch"})
        if seen.path.startswith("/v1/batches?"):
            return Answer(200, {"data": list(reversed(self.batches.values())), "has_more": False})
        if seen.path == "/v1/batches":
            name = f"batch_{len(self.batches)}"
            self.batches[name] = {
                "id": name,
                "status": "validating",
                "input_file_id": seen.json()["input_file_id"],
                "metadata": seen.json().get("metadata"),
                "created_at": int(time.time()),
            }
            return Answer(200, self.batches[name])
        if match := re.fullmatch(r"/v1/batches/(\w+)(/cancel)?", seen.path):
            batch = self.batches[match[1]]
            if match[2]:
                batch["status"] = "cancelling"
            elif batch["status"] == "cancelling":
                batch["status"] = "cancelled"
            else:
                self._finish(batch)
            return Answer(200, batch)
        if match := re.fullmatch(r"/v1/files/([\w-]+)/content", seen.path):
            return Answer(200, self.files[match[1]], {"content-type": "application/octet-stream"})
        return Answer(404, {"error": {"message": seen.path}})

    def _finish(self, batch: dict[str, Any]) -> None:
        out, err = [], []
        rows = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        for number, row in reversed(list(enumerate(rows))):
            fate, key = self.fate(number), row["custom_id"]
            if fate == "good":
                body = chat(f"B {row['body']['messages'][0]['content']}")
                out.append({"custom_id": key, "response": {"status_code": 200, "body": body}, "error": None})
            elif fate == "bad":
                body = {"error": {"message": "Invalid value"}}
                err.append({"custom_id": key, "response": {"status_code": 400, "body": body}, "error": None})
            elif fate == "expired":
                err.append(
                    {"custom_id": key, "response": None, "error": {"code": "batch_expired", "message": "expired"}}
                )
        batch |= {
            "status": self.state,
            "request_counts": {"total": len(rows), "completed": len(out), "failed": len(err)},
        }
        for name, lines in (("output_file_id", out), ("error_file_id", err)):
            if lines:
                self.files[f"{name}-{batch['id']}"] = "\n".join(
                    json.dumps(line, ensure_ascii=False) for line in lines
                ).encode()
                batch[name] = f"{name}-{batch['id']}"
