#!/usr/bin/env bash
# Snakemake runs this from the repository root when it has created the environment: it installs the suite itself.
set -euo pipefail
python -m pip install --no-deps --editable .
