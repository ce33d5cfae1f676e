# `make` alone lists the targets. What CI runs is `make check`.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Everything is compiled in the same way, so that what the functions, the command
# and the tests have in common, the SDK's large clients above all, is compiled once.
export CGO_ENABLED ?= 0
ifeq (,$(findstring -trimpath,$(GOFLAGS)))
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)
endif

FUNCTIONS := BuildGoldenAMIFunction DeployGreenFunction DeploymentGroupFunction SwapListenerFunction
TEMPLATES := template.yaml $(wildcard infra/*.yaml)
EXAMPLES := $(patsubst %/go.mod,%,$(wildcard examples/*/go.mod))

# For `make deploy`: what is deployed, as which stacks, for which architecture.
APP ?= hello
FUNCTIONS_STACK ?= $(APP)-functions
ARCH ?= arm64
GOARCH ?= $(if $(filter x86_64,$(ARCH)),amd64,arm64)
# More parameters of the stacks, as Key=Value Key=Value.
NETWORK_PARAMETERS ?=
ECS_PARAMETERS ?=
FUNCTIONS_PARAMETERS ?=
PIPELINE_PARAMETERS ?=

# For `make run`, more arguments of the command; for `make bench`, the parts to
# measure; for `make fuzz`, the time of each.
ARGS ?=
FUZZTIME ?= 30s

.PHONY: help run test check lint race matrix outside bench fuzz build deploy install clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Release an example from git push to live traffic, on this machine
	@echo 'compiling cutover; the first time fetches its modules and takes some minutes' >&2
	@go run ./cmd/cutover local run $(ARGS)

test: ## Run the tests
	go test ./...
	@for example in $(EXAMPLES); do (set -x; cd $$example && go test ./...); done

check: lint race build matrix outside ## All that CI runs beside `make test`: linters, templates, races, packages, real binaries, the aws CLI

lint: ## Check the format, the code and the templates
	@unformatted=$$(gofmt -l .); [[ -z $$unformatted ]] || { echo "not gofmt-ed:" $$unformatted >&2; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	@for example in $(EXAMPLES); do (set -x; cd $$example && go vet ./...); done
	cfn-lint $(TEMPLATES)

# The whole-pipeline tests are left out: they are the other packages' code again,
# on a clock that moves in one goroutine.
race: ## Run the packages' tests with the race detector
	CGO_ENABLED=1 go test -race $$(go list ./... | grep -v -e /acceptance$$ -e /bench -e /rules$$)
	@for example in $(EXAMPLES); do (set -x; cd $$example && CGO_ENABLED=1 go test -race ./...); done

matrix: build ## Run the whole crash matrix of a release, then a part of all matrices, retries and rollback with the real binaries, as processes
	CUTOVER_MATRIX=whole go test -count=1 -timeout 20m -run 'TestCrashMatrix$$' ./pkg/acceptance
	CUTOVER_BINARIES=$(CURDIR)/build go test -count=1 -timeout 20m -v -run 'TestCrashMatrix$$|TestRetry|TestRollback' ./pkg/acceptance | grep -v -e '^=== ' -e '^ *--- PASS'

outside: ## Run the real aws CLI over every operation of the embedded AWS
	CUTOVER_OUTSIDE=1 go test -count=1 -timeout 20m -v -run 'TestCLI' ./pkg/acceptance | grep -v -e '^=== ' -e '^ *--- PASS'

bench: ## Measure speed, memory and requests lost, each next to a reference
	@go run ./pkg/bench $(ARGS)

fuzz: ## Fuzz each decoder for FUZZTIME
	@grep -rlE --include='*_test.go' '^func Fuzz[A-Z]' . | while read -r file; do \
	  for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$$file"); do \
	    (set -x; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")"); \
	  done; \
	done

build: ## Build the functions' zips for both architectures, into build/
	@rm -rf build
	@for function in $(FUNCTIONS); do for arch in arm64 amd64; do \
	  out=build/$$function-$$arch; \
	  $(MAKE) --no-print-directory build-$$function GOARCH=$$arch ARTIFACTS_DIR=$$out; \
	  GOARCH= go run ./cmd/cutover/internal/zip $$out $$out.zip; \
	  rm -r $$out; \
	done; done
	@cd build && sha256sum *.zip

deploy: ## Deploy to AWS with SAM: network, ECS pair, functions, pipeline (APP, ARCH, *_PARAMETERS)
	sam deploy --template-file infra/network.yaml --stack-name $(APP)-network $(SAM_FLAGS) \
	  --parameter-overrides Name=$(APP) $(NETWORK_PARAMETERS)
	sam deploy --template-file infra/ecs.yaml --stack-name $(APP)-ecs $(SAM_FLAGS) --capabilities CAPABILITY_IAM \
	  --parameter-overrides Name=$(APP) Architecture=$(ARCH) $(ECS_PARAMETERS)
	GOARCH=$(GOARCH) sam build
	sam deploy --stack-name $(FUNCTIONS_STACK) $(SAM_FLAGS) --resolve-s3 --capabilities CAPABILITY_IAM \
	  --parameter-overrides Architecture=$(ARCH) ClusterName=$(APP) 'ServiceNames=$(APP)-*' TaskFamilies=$(APP) \
	  'TaskRoles=$(APP)/tasks/*' LoadBalancerName=$(APP) 'TargetGroupNames=$(APP)-*' $(FUNCTIONS_PARAMETERS)
	sam deploy --template-file infra/pipeline.yaml --stack-name $(APP)-pipeline $(SAM_FLAGS) --capabilities CAPABILITY_IAM \
	  --parameter-overrides Name=$(APP) FunctionsStack=$(FUNCTIONS_STACK) $(PIPELINE_PARAMETERS)

SAM_FLAGS := --no-confirm-changeset --no-fail-on-empty-changeset

install: ## Install what `make check` needs beside Go: cfn-lint
	pip install --quiet cfn-lint==1.51.0

clean: ## Remove what was built
	rm -rf build .aws-sam

# `sam build` calls these, by the functions' logical ids. The same source and
# toolchain make the same file, whatever the machine.
build-function = GOOS=linux GOARCH=$(GOARCH) go build -buildvcs=false \
  -tags lambda.norpc -ldflags '-s -w -buildid=' -o $(ARTIFACTS_DIR)/bootstrap

.PHONY: $(FUNCTIONS:%=build-%) build-BenchHello

build-BuildGoldenAMIFunction:
	$(build-function) ./functions/build-golden-ami

build-DeployGreenFunction:
	$(build-function) ./functions/deploy-green

build-DeploymentGroupFunction:
	$(build-function) ./functions/deployment-group

build-SwapListenerFunction:
	$(build-function) ./functions/swap-listener

# What `make bench` compares the functions with is built as they are.
build-BenchHello:
	$(build-function) ./pkg/bench/hello
