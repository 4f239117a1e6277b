PYTHON := .venv/bin/python
READY := .venv/ready

.PHONY: run test test-page test-workbook lint notebooks images page colab clean

run: $(READY)
	$(PYTHON) -m tools.execute notebooks/2_mnist.ipynb --output build

test: $(READY)
	$(PYTHON) -m pytest --nbval -n 2

# The tests once more in an environment of its own: with Colab's versions (test-colab), or the oldest (test-oldest).
test-%: .venv-%/ready
	.venv-$*/bin/python -m pytest --nbval -n 2

# The pad and the page in the Chromium that is installed.
test-page: $(READY)
	$(PYTHON) -m pip install --disable-pip-version-check -q "playwright>=1.48"
	$(PYTHON) -m pytest tests/browser.py

# The workbook's formulas in the LibreOffice that is installed.
test-workbook: $(READY)
	$(PYTHON) -m pytest tests/libreoffice.py

lint: $(READY)
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

# Writes the repository's address into notebooks and README: make colab REPO=owner/name [BRANCH=main]
BRANCH := main
colab: $(READY)
	$(PYTHON) -m tools.colab $(REPO) --branch $(BRANCH)

# Executes every notebook in place, as it is committed.
notebooks: $(READY)
	$(PYTHON) -m tools.execute notebooks/*.ipynb

# Writes the workbook and the pictures of the README.
images: $(READY)
	$(PYTHON) -m tools.workbook
	$(PYTHON) -m tools.images

# Writes the page from the weights in results/.
page: $(READY)
	$(PYTHON) -m tools.page

clean:
	rm -rf .venv .venv-* build

$(READY): requirements.txt
	python3 -m venv .venv
	$(PYTHON) -m pip install --disable-pip-version-check -r requirements.txt
	touch $(READY)

.PRECIOUS: .venv-%/ready
.venv-%/ready: requirements.txt requirements-%.txt
	python3 -m venv .venv-$*
	.venv-$*/bin/python -m pip install --disable-pip-version-check -r requirements.txt -c requirements-$*.txt
	touch $@
