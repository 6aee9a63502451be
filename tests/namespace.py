"""A PID namespace of its own, as a container has: none of our pids means anything there. Linux; root, or user namespaces."""

from __future__ import annotations

import os

AS_ROOT = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
IN_NAMESPACE = ["unshare", *AS_ROOT, "--pid", "--fork", "--mount-proc", "--kill-child"]
"""Put in front of a command. What is left in the namespace ends with the command."""
