# make demo [PHOTO=picture.jpg [DEPTH=depth.png]]   a diorama of the demo photo, or of yours, in out/
# make check                                         style, types of core, and the quick tests
# make coverage                                      which lines of core the quick tests run
# make tag                                           the git tag of a release, from the manifest
# make test                                          all tests, with what they need
# make test-versions                                 the tests with Blender in Blender 5.0 and 5.2 too, whole
# make test-blender-real                             the zips with their wheels in Blender 4.5, 5.0, 5.2 and in Debian's program
# make photo-alone                                   a photo alone by the small zips in the same, and what it makes compared
# make test-zip ZIP=a.zip BLENDER=program            one zip in a Blender program of this system
# make test-windows                                  the first steps of a Windows user under Wine, with a Windows zip's own wheels
# make extension [TARGET=linux-x64-py311] [EDITION=small]  the zips in dist/, with their wheels, and repositories of them
# make bare                                          only the zip without wheels
# make wheels-lock                                   pin the wheels anew, after a change of versions in wheels/lock.toml
# make train-depth CACHE=folder [PHOTOS="folder ..."]  the depth network again, from its renders on (training/depth/README.md)
# make fuzz MINUTES=30                               looks for files that a reader fails on, led by the code they reach
# make release-files                                 checksums of the zips and the repositories as one file, for a release
# make workflows [ACTIONLINT=program]                checks .github/workflows
# make lint, make clean
PYTHON ?= python3.11
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
PHOTO ?= docs/demo/courtyard.jpg
DEPTH ?= $(if $(filter docs/demo/courtyard.jpg,$(PHOTO)),docs/demo/courtyard_depth.png)
SYSTEM_LIBRARIES := libegl1 libgl1 libxi6 libxrender1 libxkbcommon0 libsm6 libxfixes3 libxxf86vm1 libgomp1

WHEELS ?= dist/wheels
BLENDER_ROOT ?= dist/debian-blender

.PHONY: demo check coverage tag test test-versions test-blender-real photo-alone test-windows test-zip checksums release-name release-files workflows extension bare wheels-lock train-depth fuzz lint clean

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -c "import bpy" 2>/dev/null || { apt-get update -qq && apt-get install -y -qq $(SYSTEM_LIBRARIES) >/dev/null; }
	$(BIN)/python -c "import bpy; print('Blender', bpy.app.version_string, 'is ready')"
	touch $@

.venv/ready-dev: .venv/ready requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

demo: .venv/ready
	$(BIN)/python benchmarks/demo.py "$(PHOTO)" $(if $(DEPTH),--depth "$(DEPTH)") --output out

# tests that together take less than a minute of processor time; hostile files and whole dioramas are for `make test`
QUICK := $(addprefix tests/core/,test_arrows.py test_docs.py test_examples.py test_errors.py test_settings.py test_job.py camera scene batch/test_request.py \
	batch/test_manifest.py photo/test_icc_profile.py layers/test_regions.py layers/test_discontinuities.py mesh/test_normals.py \
	mesh/test_atlas.py depth/test_find_depth.py raster/test_open_picture.py)

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy core
	$(BIN)/python -m pytest -x $(QUICK)

coverage: .venv/ready-dev
	$(BIN)/python -m coverage run --source core -m pytest -x $(QUICK)
	$(BIN)/python -m coverage report --skip-covered --sort cover

# from the manifest, the only place of the number besides pyproject.toml
tag: check
	git tag -a "v$$(sed -n 's/^version = "\(.*\)"/\1/p' blender_manifest.toml)" -m "Release"

test: .venv/ready-dev
	$(BIN)/python -m pytest
	sh tests/other_versions.sh narrow
	@if [ -e "$(BLENDER_ROOT)/ready" ]; then DIORAMA_BLENDER="$(BLENDER_ROOT)" $(BIN)/python -m pytest tests/blender_real; \
	else echo "skipped Debian's Blender: not in $(BLENDER_ROOT), make test-blender-real brings it"; fi

test-versions: .venv/ready-dev
	sh tests/other_versions.sh whole

test-blender-real: .venv/ready-dev
	BLENDER_ROOT="$(BLENDER_ROOT)" WHEELS="$(WHEELS)" EDITION="$(EDITION)" sh tests/blender_real/run.sh

photo-alone: .venv/ready-dev
	BLENDER_ROOT="$(BLENDER_ROOT)" WHEELS="$(WHEELS)" EDITION=small TESTS=tests/blender_real/test_photo_alone.py sh tests/blender_real/run.sh

test-zip: .venv/ready-dev
	DIORAMA_ZIP="$(ZIP)" DIORAMA_PROGRAM="$(BLENDER)" $(BIN)/python -m pytest tests/blender_real -s --durations=0

test-windows: .venv/ready-dev
	WHEELS="$(WHEELS)" sh tests/windows/run.sh

extension: .venv/ready-dev
	$(BIN)/python wheels/build_extension.py $(foreach t,$(TARGET),--target $(t)) $(if $(EDITION),--edition $(EDITION)) --wheels "$(WHEELS)"

bare: .venv/ready-dev
	$(BIN)/python wheels/build_extension.py --bare

wheels-lock: .venv/ready-dev
	$(BIN)/python wheels/pin_wheels.py --wheels "$(WHEELS)"

PHOTOS ?= ../shared/data/photos/kodak ../shared/data/photos/cc0_2048 ../shared/data/photos/skimage
train-depth: .venv/ready-dev
	CACHE="$(CACHE)" PHOTOS="$(PHOTOS)" $(foreach v,RENDERS FIRST MINUTES COOL VARIANT START DATA,$(if $($(v)),$(v)="$($(v))")) sh training/depth/run.sh

fuzz: .venv/ready-dev
	$(BIN)/python benchmarks/fuzz_guided.py --minutes $(or $(MINUTES),9)

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# of all zips in dist/, as `sha256sum -c` reads them
checksums:
	cd dist && sha256sum *.zip > SHA256SUMS

release-files: checksums
	tar -C dist -czf dist/repository.tar.gz repository repository-small

# TAG=v1.2.3 is the version that the manifest tells
release-name:
	test "v$$(sed -n 's/^version = "\(.*\)"/\1/p' blender_manifest.toml)" = "$(TAG)"

ACTIONLINT ?= actionlint
workflows:
	$(ACTIONLINT) .github/workflows/*.yml

clean:
	rm -rf .venv out dist
