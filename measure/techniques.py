"""What each technique of the assignment brought, as the README's table: `python -m measure.techniques`."""

from measure.results import mean_and_spread, read_results

# How the lesson's network uses each technique, and the variant without it or with another choice.
TECHNIQUES = {
    "batch norm": (
        "after each convolution but the last",
        "none, and a lower rate",
        "batch norm: none, learning rate 0.02",
    ),
    "max pooling, twice": (
        "after the first and the third convolution",
        "strides of two",
        "max pooling: strides instead",
    ),
    "distance of the last pooling from the output": ("four convolutions", "two", "max pooling: close to the output"),
    "no padding": ("the first and the last two convolutions", "the first alone", "end of the convolutions: at 6x6"),
    "1x1 convolution": ("as the head", "two of the 3x3 ones too", "kernels: 1x1 in place of two 3x3"),
    "global average pooling": ("of ten maps of 2x2", "a fully connected layer", "head: fully connected"),
    "dropout": ("5 % of the maps before the head", "none", "dropout: none"),
    "image normalization": ("mean 0, deviation 1", "pixels of 0 to 255", "normalization: pixels of 0 to 255"),
    "learning rate": ("up to 0.1, then to zero", "0.1 throughout", "learning rate: 0.1 throughout"),
    "batch size": ("128", "512", "batch size: 512"),
    "augmentation": ("small rotation, shift, scale, shear", "none", "augmentation: none"),
}


def table() -> str:
    """Returns the table: accuracy and loss on the held-out images with the technique changed."""
    rows = read_results("variants", "validation")

    def figures(variant: str) -> str:
        runs = [row for row in rows if row["recipe"] == variant]
        accuracy, spread = mean_and_spread([float(row["accuracy"]) for row in runs])
        loss, _ = mean_and_spread([float(row["loss"]) for row in runs])
        return f"{accuracy:.2f} ± {spread:.2f} | {loss:.4f} | {len(runs)}"

    lines = ["| technique | here | instead | accuracy, % | loss | n |", "| --- | --- | --- | ---: | ---: | ---: |"]
    lines.append(f"| all as they are here | | | {figures('ours')} |")
    for technique, (here, instead, variant) in TECHNIQUES.items():
        lines.append(f"| {technique} | {here} | {instead} | {figures(variant)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
