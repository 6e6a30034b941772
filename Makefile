# Everything runs in one virtual environment, .venv, made from the hashed lock file.
#   make demo [TRACK=<file or URL>] [SECONDS=n]   hear the bot play, against an embedded Discord
#   make test                                     lint, types and the whole suite

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,\
	$(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
BIN := .venv/bin
READY := .venv/.ready
BENCH_READY := .venv/.ready-bench

.DEFAULT_GOAL := help
.PHONY: help demo test test-ear test-rest lint format bench-faults bench-kernel bench-voice bench-latency bench-mass bench-overhead bench-restore soak soak-live soak-kernel crash chaos coverage-kernel mutate-kernel lock clean

help:  ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Ostinato needs Python 3.11 or newer; none was found (make PYTHON=/path/to/python3)."; exit 1; }
	@echo "Making the environment in .venv (a minute or two, once) ..."
	@$(PYTHON) -m venv .venv || { echo "Could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --only-binary :all: --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# TRACK is read from the environment of the recipe, so that no character of a URL is special.
export TRACK
demo: $(READY)  ## the bot joins an embedded Discord, plays, and a listener reports what it heard
	@exec $(BIN)/ostinato demo $(if $(SECONDS),--seconds "$(SECONDS)") $(if $(TRACK),--play "$$TRACK")

# What judges the whole bot by ear comes first whenever it wants the processor; the rest has what is left of it.
test: lint  ## lint, types and the whole suite, warnings as errors
	@$(MAKE) --no-print-directory --jobs 2 test-ear test-rest

test-ear: $(READY)  ## the whole bot as a process, judged by what a listener heard
	@$(BIN)/python -m pytest tests/e2e tests/crash

test-rest: $(READY)  ## all other tests
	@nice -n 10 $(BIN)/python -m pytest --numprocesses 2 --ignore tests/e2e --ignore tests/crash

lint: $(READY)  ## ruff and mypy in strict mode
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY)  ## put imports and layout in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

$(BENCH_READY): $(READY) requirements-bench.lock
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --only-binary :all: --require-hashes --requirement requirements-bench.lock
	@touch $@

# BENCH: options of it, for example BENCH="--add --rounds 1 --players ostinato --dave on" for a piece of four minutes.
bench-faults: $(BENCH_READY)  ## what each voice fault costs a listener, beside stock discord.py and a Rust engine (an hour and a half)
	@$(BIN)/python -m tests.bench.faults $(BENCH)

bench-kernel: $(BENCH_READY)  ## what the kernel costs, next to floors and to other libraries (two minutes)
	@$(BIN)/python -m tests.bench.kernel

# BENCH: options of it, for example BENCH="--sizes 1,100 --players ostinato,floor".
bench-voice: $(BENCH_READY)  ## the bot beside stock discord.py and a Rust engine, 1 to 1,000 streams (a quarter of an hour)
	@$(BIN)/python -m tests.bench.voice $(BENCH)

bench-mass: $(READY)  ## all voice sessions of a shard end at once: who is back when (six minutes)
	@$(BIN)/python -m tests.bench.mass $(BENCH)

bench-overhead: $(READY)  ## what metrics, events and spans cost at 300 streams (three minutes)
	@$(BIN)/python -m tests.bench.overhead $(BENCH)

bench-latency: $(READY)  ## from a command to the first frame, cached and from a media server (a minute)
	@$(BIN)/python -m tests.bench.latency

# HOURS (4), FACTOR (24) and LEAK (0) are read from the environment of the recipe.
export HOURS FACTOR LEAK
soak: $(READY)  ## hours of playback with hastened clocks: does memory or anything else grow? (ten minutes)
	@$(BIN)/python -m tests.soak.playback

# MINUTES (10) is read from the environment of the recipe.
export MINUTES
soak-live: $(READY)  ## a live stream that stalls, in real time: no gap while its window lasts, then back at the edge (ten minutes)
	@$(BIN)/python -m tests.soak.live

bench-restore: $(READY)  ## from the start of the process to audio, in parts; 50 guilds come back at once after a SIGKILL (two minutes)
	@$(BIN)/python -m tests.bench.restore

# KILLS (200) and SEED are read from the environment of the recipe.
export KILLS
crash: $(READY)  ## SIGKILL at random moments under commands: nothing acknowledged is lost (a quarter of an hour)
	@$(BIN)/python -m tests.crash

# SEED, MINUTES (2), GUILDS (3), AGAINST (stock) and REPORT (build/chaos) are read from the environment of the recipe.
export SEED MINUTES GUILDS AGAINST REPORT
chaos: $(READY)  ## everything goes wrong while the bot plays: what did listeners hear? (two minutes and a bit)
	@exec $(BIN)/ostinato chaos --report "$${REPORT:-build/chaos}" $${SEED:+--seed "$$SEED"} $${MINUTES:+--minutes "$$MINUTES"} \
		$${GUILDS:+--guilds "$$GUILDS"} $${AGAINST:+--against "$$AGAINST"}

coverage-kernel: $(READY)  ## every branch of the kernel is taken by its tests, or this fails
	@$(BIN)/coverage run --source supervision -m pytest --quiet tests/supervision
	@$(BIN)/coverage report

# MINUTES (15), SEED and PLANT are read from the environment of the recipe.
export PLANT
soak-kernel: $(READY)  ## random trees against the rules, after planted defects were found (a quarter of an hour)
	@$(BIN)/python -m tests.soak.kernel

mutate-kernel: $(BENCH_READY)  ## break the kernel in thousands of small ways and see the suite notice (half an hour)
	@$(BIN)/python -m tests.mutation.run
	@$(BIN)/python -m tests.mutation.report

# The previous lock stays beside the new one: the baseline to roll back to.
lock: $(READY)  ## renew requirements.lock, keeping the old one as requirements.previous.lock
	@cp requirements.lock requirements.previous.lock
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet --output-file requirements.lock
	@$(BIN)/uv pip compile --group bench --constraint requirements.lock --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet --output-file requirements-bench.lock

clean:  ## remove what the other targets made
	@rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants ostinato-heard.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
