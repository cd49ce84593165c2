#!/bin/sh
# A virtual environment with docling's released slim package and without torch, for tests/docling.
#
#     sh tests/docling/make_env.sh FOLDER
#
# Takes about a minute and 0.7 GB. The full docling package would bring torch and a CUDA build of torchvision.
set -eu
folder=$1
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install -q --disable-pip-version-check \
    'docling-slim[convert-core,format-pdf-pypdfium2]==2.143.*' 'langcodes==3.5.*' 'onnxruntime==1.31.*' 'transformers==5.23.*'
touch "$folder/complete"
