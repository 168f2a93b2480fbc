#!/usr/bin/env bash
# Trains data/regressor.h5 anew from public weights and rendered people:
#
#     tools/train_shipped.sh [--hours H] [--ict MODEL] [--trunk lite0|recognition] [--out FILE]
#                            [-- further options of fit3dmm train]
#
# MODEL is a file that `fit3dmm model convert` made of ICT-FaceKit; half of the people are then its
# own, and the network learns of faces that Commons does not span. Run it again to go on after an
# interruption. More hours, and a GPU, give a better network. With --out, data/ stays as it is.
# Several GPUs: FIT3DMM_TRAIN="torchrun --nproc-per-node 4 --no-python -- fit3dmm" tools/train_shipped.sh
set -euo pipefail
usage() {
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
here=$PWD
hours=8
trunk=lite0
out=
others=()
while [ $# -gt 0 ]; do
    case "$1" in
        --) shift; break ;;
        --hours | --ict | --trunk | --out) [ $# -ge 2 ] || usage ;;
        *) usage ;;
    esac
    case "$1" in
        --hours) hours="$2" ;;
        --ict) others=(--others "$(realpath "$2")") ;;
        --trunk) trunk="$2" ;;
        --out) out="$2" ;;
    esac
    shift 2
done
case "$out" in "" | /*) ;; *) out="$here/$out" ;; esac
cd "$(dirname "$0")/.."
mkdir -p build
case "$trunk" in
    lite0)
        weights=build/lite0.safetensors
        [ -f "$weights" ] || python tools/fetch_trunk.py "$weights"
        ;;
    recognition) weights=data/recogniser.h5 ;;
    *) usage ;;
esac
read -ra program <<< "${FIT3DMM_TRAIN:-fit3dmm}"
"${program[@]}" train "${out:-build/regressor.h5}" --trunk "$trunk" --trunk-weights "$weights" \
    "${others[@]}" --settings.hours "$hours" --settings.phases.0.size-px 160 \
    --settings.phases.1.size-px 256 --settings.phases.2.size-px 256 "$@"
[ -n "$out" ] || cp build/regressor.h5 data/regressor.h5
