"""The colours of categories, apart from the theme: charts of the page need no Matplotlib."""

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
"""The palette of Okabe and Ito (2008)."""

GREY = "#6b6b6b"
