"""Runs commands of the AWS CLI one after another in one process.

Each line of standard input is a command's arguments as a JSON list; each line of
standard output is what it wrote and its exit status. The CLI is the installed
one, as the command aws would run it: all that is saved is starting it anew.
"""

import io
import json
import sys

from awscli import clidriver


def run(arguments):
    raw = io.BytesIO()
    text = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    kept = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = text
    try:
        code = clidriver.create_clidriver().main(arguments)
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout, sys.stderr = kept
    return {"code": code or 0, "output": raw.getvalue().decode()}


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
