"""Commands around the helpers: run notebooks, draw pictures, write the workbook, measure."""
