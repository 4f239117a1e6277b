PYTHON := .venv/bin/python
READY := .venv/ready
TESTED := .venv/ready-to-test
PIP := -m pip install --disable-pip-version-check

.PHONY: run test test-page test-workbook lint notebooks student images page colab clean

run: $(READY)
	$(PYTHON) -m tools.execute notebooks/2_mnist.ipynb --output build

test: $(TESTED)
	$(PYTHON) -m pytest --nbval -n 2 notebooks tests

# The tests once more in an environment of its own: with Colab's versions (test-colab), or the oldest (test-oldest).
test-%: .venv-%/ready
	.venv-$*/bin/python -m pytest --nbval -n 2 notebooks tests

# The pad and the page in the Chromium that is installed.
test-page: $(TESTED)
	$(PYTHON) $(PIP) -q "playwright>=1.48"
	$(PYTHON) -m pytest tests/browser.py tests/browser_page.py

# The workbook's formulas in the LibreOffice that is installed.
test-workbook: $(TESTED)
	$(PYTHON) -m pytest tests/libreoffice.py

lint: $(TESTED)
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

# Writes the repository's address into notebooks and README: make colab REPO=owner/name [BRANCH=main]
BRANCH := main
colab: $(READY)
	$(PYTHON) -m tools.colab $(REPO) --branch $(BRANCH)

# Executes every notebook in place, as it is committed: with one thread, as the recorded runs were made.
notebooks: $(READY)
	OMP_NUM_THREADS=1 $(PYTHON) -m tools.execute notebooks/*.ipynb

# Writes the notebooks without solutions and outputs to build/student, for nbgrader or as they are.
student: $(READY)
	$(PYTHON) -m tools.student build/student

# Writes the workbook and the pictures of the README.
images: $(TESTED)
	$(PYTHON) -m tools.workbook
	$(PYTHON) -m tools.images

# Writes the page from the weights in results/.
page: $(READY)
	$(PYTHON) -m tools.page

clean:
	rm -rf .venv .venv-* build

# The templates keep the alt texts of pictures, which jupyter nbconvert would leave out.
$(READY): requirements.txt
	python3 -m venv .venv
	$(PYTHON) $(PIP) -r requirements.txt
	mkdir -p .venv/etc/jupyter
	printf '{"TemplateExporter": {"extra_template_basedirs": ["%s"]}}\n' "$(CURDIR)/tools/nbconvert" \
		> .venv/etc/jupyter/jupyter_nbconvert_config.json
	touch $(READY)

$(TESTED): $(READY) requirements-test.txt
	$(PYTHON) $(PIP) -r requirements-test.txt
	touch $(TESTED)

.PRECIOUS: .venv-%/ready
.venv-%/ready: requirements.txt requirements-test.txt requirements-%.txt
	python3 -m venv .venv-$*
	.venv-$*/bin/python $(PIP) -r requirements.txt -r requirements-test.txt -c requirements-$*.txt
	touch $@
