# Everything a person needs; what each does is in scripts/. Tools and packages go into this folder's own ignored
# folders (.tools, web/node_modules, target), nothing else is touched.

.DEFAULT_GOAL := help
.PHONY: help run test test-aws deploy undeploy lint fmt bench conformance flows web clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-11s %s\n", $$1, $$2 }'

run: ## Build everything and serve the sample restaurant on an empty ./data
	@scripts/run

test: ## All checks and tests; CRASH_ROUNDS=50 for a long crash test
	@scripts/test

test-aws: ## What goes to AWS, checked without AWS: linters, a second interpreter, whole orders on an emulator
	@scripts/test-aws

deploy: ## Put everything on AWS; STAGE=test, ARGS=--sample (docs/aws.md)
	@scripts/deploy up $(ARGS)

undeploy: ## Take it away again; what holds money stays, and is listed
	@scripts/deploy down

lint: ## Formatting, clippy, dependencies, the page's lint
	@scripts/test format clippy dependencies web

fmt: ## Format the code
	cargo fmt --all

bench: ## Measure complete orders per second; ARGS="--job order --in-flight 64"
	@scripts/bench $(ARGS)

conformance: ## Measure agreement with recordings of AWS; COMANDA_CONFORMANCE=FOLDER, ARGS="--area scenarios --show 3"
	@scripts/conformance $(ARGS)

flows: ## Draw the flows anew into docs/flows
	@scripts/flows

web: ## Build the page into web/dist, where the next cargo build finds it
	@scripts/web

clean: ## Remove what was built and installed
	rm -rf target .tools web/node_modules web/dist
