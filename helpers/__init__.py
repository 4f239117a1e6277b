"""What the notebooks share: `data -> model -> train -> plot`, one module per step."""
