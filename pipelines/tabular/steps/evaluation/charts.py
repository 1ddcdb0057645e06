"""The report's pictures, as SVG text inside the page, so that the report is one file that opens anywhere.

Input: plain values of the evaluation. Output: name -> SVG. Used by `report.py`, and by monitoring's watch_charts.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

BLUE, ORANGE, GREY, RED = "#1f5fa8", "#d9822b", "#8a94a0", "#b3261e"
MOST_BARS = 15

mpl.rcParams.update(
    {
        "svg.hashsalt": "report",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.fonttype": "none",
        "text.parse_math": False,  # names of columns and categories are text, also those with two dollar signs
    }
)


def as_svg(title: str, draw: Callable[[Any], None], size: tuple[float, float] = (4.3, 3.1)) -> str:
    """A picture without the time at which it was drawn. `size`: in inches."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    draw(axes)
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    text = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    svg = text.getvalue().decode()
    return svg[svg.index("<svg") :]


def regression(target: list[float], predicted: list[float], name: str) -> dict[str, str]:
    """Prediction against truth, and the residuals."""
    truth, guess = np.array(target), np.array(predicted)
    ends = [min(truth.min(), guess.min()), max(truth.max(), guess.max())]

    def against(axes: Any) -> None:
        axes.scatter(truth, guess, s=8, alpha=0.4, color=BLUE, linewidths=0)
        axes.plot(ends, ends, color=GREY, lw=1, ls="--")
        axes.set(xlabel=f"true {name}", ylabel=f"predicted {name}")

    def residuals(axes: Any) -> None:
        axes.scatter(guess, truth - guess, s=8, alpha=0.4, color=BLUE, linewidths=0)
        axes.axhline(0, color=GREY, lw=1, ls="--")
        axes.set(xlabel=f"predicted {name}", ylabel="true minus predicted")

    return {"against": as_svg("Prediction against truth", against), "residuals": as_svg("Residuals", residuals)}


def binary(curves: dict[str, Any]) -> dict[str, str]:
    """ROC and precision-recall with the point at which the version decides, and calibration."""
    roc, pr, calibration = (curves[name] for name in ("receiver_operating_characteristic_curve", "precision_recall_curve", "calibration"))
    (right_no, wrong_yes), (wrong_no, right_yes) = (list(row.values()) for row in curves["confusion_matrix"].values())
    found = right_yes / max(right_yes + wrong_no, 1)

    def mark(axes: Any, across: float, up: float) -> None:
        axes.plot([across], [up], "o", color=ORANGE, ms=7, label="as decided")
        axes.legend(frameon=False, loc="lower right")

    def draw_roc(axes: Any) -> None:
        axes.plot(roc["false_positive_rates"], roc["true_positive_rates"], color=BLUE)
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        mark(axes, wrong_yes / max(wrong_yes + right_no, 1), found)
        axes.set(xlabel="false positive rate", ylabel="true positive rate")

    def draw_precision(axes: Any) -> None:
        axes.plot(pr["recalls"], pr["precisions"], color=BLUE)
        mark(axes, found, right_yes / max(right_yes + wrong_yes, 1))
        axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.02))

    def draw_calibration(axes: Any) -> None:
        axes.plot(calibration["predicted"], calibration["observed"], "o-", color=BLUE, ms=4)
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        axes.set(xlabel="predicted probability", ylabel="observed share")

    return {
        "roc": as_svg("ROC", draw_roc),
        "precision": as_svg("Precision and recall", draw_precision),
        "calibration": as_svg("Calibration", draw_calibration),
    }


def confusion(matrix: dict[str, dict[str, int]]) -> str:
    classes = list(matrix)[:MOST_BARS]
    counts = np.array([[matrix[true][guess] for guess in classes] for true in classes])

    def draw(axes: Any) -> None:
        axes.imshow(counts, cmap="Blues")
        axes.set_xticks(range(len(classes)), classes, rotation=45 if len(classes) > 3 else 0)
        axes.set_yticks(range(len(classes)), classes)
        for (row, column), count in np.ndenumerate(counts):
            axes.text(column, row, str(count), ha="center", va="center", color="white" if count > counts.max() / 2 else "black")
        axes.set(xlabel="decided", ylabel="true")

    return as_svg("Confusion", draw)


def attributions(values: dict[str, float]) -> str:
    shown = list(values.items())[:MOST_BARS][::-1]

    def draw(axes: Any) -> None:
        axes.barh([name for name, _ in shown], [value for _, value in shown], color=BLUE)
        axes.set_xlabel("mean |SHAP value|")

    return as_svg("What the model relies on", draw)


def learning_curve(points: list[dict[str, Any]], metric: str) -> str:
    def draw(axes: Any) -> None:
        rows = [point["rows"] for point in points]
        axes.plot(rows, [point["test"] for point in points], "o-", color=BLUE, ms=4, label="test")
        axes.plot(rows, [point["train"] for point in points], "o--", color=GREY, ms=4, label="training")
        axes.set(xlabel="training rows", ylabel=metric)
        axes.legend(frameon=False)

    return as_svg("Would more data help?", draw)


def robustness(results: list[dict[str, Any]], metric: str, value: float) -> str:
    shown = results[:MOST_BARS][::-1]
    places = np.arange(len(shown))

    def draw(axes: Any) -> None:
        axes.barh(places + 0.2, [item["missing"] for item in shown], 0.38, color=ORANGE, label="column missing")
        shifted = [(place, item["shifted"]) for place, item in zip(places, shown, strict=True) if item["shifted"] is not None]
        axes.barh([place - 0.2 for place, _ in shifted], [value for _, value in shifted], 0.38, color=GREY, label="shifted by 1 sd")
        axes.axvline(value, color=RED, lw=1, label="as it is")
        axes.set_yticks(places, [item["column"] for item in shown])
        everything = [value, *(item["missing"] for item in shown), *(item for _, item in shifted)]
        margin = 0.1 * (max(everything) - min(everything) or 1)
        axes.set(xlabel=metric, xlim=(min(everything) - margin, max(everything) + margin))
        axes.legend(frameon=False, fontsize=7)

    return as_svg("Broken inputs", draw)
