#!/usr/bin/env bash
# Trains data/regressor.h5 anew from ImageNet weights and rendered people:
#
#     tools/train_shipped.sh [--hours H] [--ict MODEL]
#
# MODEL is a file that `fit3dmm model convert` made of ICT-FaceKit; half of the people are then its
# own, and the network learns of faces that Commons does not span. Run it again to go on after an
# interruption. More hours, and a GPU, give a better network.
set -euo pipefail
cd "$(dirname "$0")/.."
hours=8
others=()
while [ $# -gt 0 ]; do
    case "$1" in
        --hours) hours="$2" ;;
        --ict) others=(--others "$2") ;;
        *) echo "usage: tools/train_shipped.sh [--hours H] [--ict MODEL]" >&2; exit 2 ;;
    esac
    shift 2
done
mkdir -p build
[ -f build/lite0.safetensors ] || python tools/fetch_trunk.py build/lite0.safetensors
fit3dmm train build/regressor.h5 --trunk lite0 --trunk-weights build/lite0.safetensors \
    "${others[@]}" --settings.hours "$hours" --settings.phases.0.size-px 160 \
    --settings.phases.1.size-px 256 --settings.phases.2.size-px 256
cp build/regressor.h5 data/regressor.h5
