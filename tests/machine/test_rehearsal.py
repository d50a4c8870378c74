"""What a rehearsal leaves behind in the process that all hooks are forked from: nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

LIB = Path(__file__).parents[2] / "lib"
PROGRAM = """
import inspect, json, logging, os, sys, warnings
import ops
from machine import ops_in_process, rehearsal

def state():
    found = {
        "environment": dict(os.environ),
        "hooks": repr((sys.excepthook, sys.breakpointhook, warnings.showwarning)),
        "loggers": repr((logging.getLogger().handlers, logging.getLogger().level)),
    }
    for name, module in sorted(sys.modules.items()):
        if name == "ops" or name.startswith("ops."):
            found |= {f"{name}.{k}": seen(v) for k, v in vars(module).items()}
    return found

def seen(value):
    if inspect.ismethod(value):
        return repr(value)
    if isinstance(value, type) and value.__module__.startswith("ops"):
        return repr(sorted((k, id(v)) for k, v in vars(value).items() if k[:2] != "__"))
    if hasattr(value, "cache_info"):
        return repr(value.cache_info())
    contents = repr(value) if isinstance(value, dict | list | set) and len(value) < 50 else ""
    return f"{id(value)} {contents}"

ops_in_process.fit()
before = state()
rehearsal.run()
copied = rehearsal.copied()
after = state()
changed = {k: [before.get(k), after[k]] for k in after if after[k] != before.get(k)}
gone = sorted(before.keys() - after.keys())
print(json.dumps([changed, gone, len(copied)]))
"""


def test_a_rehearsal_changes_nothing_that_a_hook_can_see():
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(LIB)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    changed, gone, copied = json.loads(done.stdout)
    assert (changed, gone) == ({}, [])
    assert copied
