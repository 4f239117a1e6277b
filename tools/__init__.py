"""Commands around the notebooks: run them, write the workbook, draw pictures, make them ready for Colab."""
