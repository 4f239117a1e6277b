PYTHON := .venv/bin/python
READY := .venv/ready

.PHONY: run test notebooks images clean

run: $(READY)
	$(PYTHON) -m tools.notebook notebooks/2_mnist.ipynb --output build

test: $(READY)
	$(PYTHON) -m pytest --nbval

# Executes every notebook in place, as it is committed.
notebooks: $(READY)
	$(PYTHON) -m tools.notebook notebooks/*.ipynb

# Writes the workbook and the pictures of the README.
images: $(READY)
	$(PYTHON) -m tools.workbook
	$(PYTHON) -m tools.images

clean:
	rm -rf .venv build

$(READY): requirements.txt
	python3 -m venv .venv
	$(PYTHON) -m pip install --disable-pip-version-check -r requirements.txt
	touch $(READY)
