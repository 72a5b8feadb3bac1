"""How fast and how often a server is asked: limits, retries, the circuit breaker."""
