#!/usr/bin/env bash
# Installs ComfyUI as its own user, once. The marker is written last: an installation that was broken off
# is done again, and so are other pins. Models, custom nodes and outputs stay.
set -euo pipefail
cd "$COMFYUI_HOME"
mkdir -p "$OUTPUTS"

wanted="$COMFYUI_REVISION $INSTALLER $PYTHON_PACKAGES $PACKAGES_BEFORE"
if [[ "$(cat .installed 2>/dev/null || true)" = "$wanted" ]]; then
    echo "ComfyUI $COMFYUI_REVISION is installed."
    exit
fi

rm -rf .installed .git
git init --quiet
git fetch --quiet --depth 1 "$COMFYUI_SOURCE" "$COMFYUI_REVISION"
git checkout --quiet --force FETCH_HEAD

python3 -m venv --clear venv
venv/bin/pip install --quiet "$INSTALLER"
read -ra packages <<<"$PYTHON_PACKAGES"
# What ComfyUI does not pin is taken as it was on that day.
venv/bin/uv pip install --python venv/bin/python --exclude-newer "$PACKAGES_BEFORE" \
    --requirement requirements.txt "${packages[@]}"

echo "$wanted" >.installed.new
mv .installed.new .installed
echo "ComfyUI $COMFYUI_REVISION has been installed."
