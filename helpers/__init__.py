"""All that the notebooks teach with: `data -> model -> train -> plot`, one module per step. Knows no other folder."""
