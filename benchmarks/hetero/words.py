"""What columns are called: once in the words of owners, once in those of users, who never read the owners'."""

from __future__ import annotations

AIR_OWNERS = {
    "SO2": "SO2: sulphur dioxide concentration [µg/m³]",
    "NO2": "NO2: nitrogen dioxide concentration [µg/m³]",
    "CO": "CO: carbon monoxide concentration [µg/m³]",
    "O3": "O3: ozone concentration [µg/m³]",
    "TEMP": "TEMP: air temperature [degC]",
    "PRES": "PRES: air pressure [hPa]",
    "DEWP": "DEWP: dew point temperature [degC]",
    "RAIN": "RAIN: precipitation [mm]",
    "WSPM": "WSPM: wind speed [m/s]",
    "wind_sin": "wind_sin: sine of the wind direction",
    "wind_cos": "wind_cos: cosine of the wind direction",
    "hour_sin": "hour_sin: sine of the hour of the day",
    "hour_cos": "hour_cos: cosine of the hour of the day",
}
AIR_USERS = {
    "SO2": "sulfur dioxide in the air [µg/m³]",
    "NO2": "nitrogen dioxide in the air [µg/m³]",
    "CO": "carbon monoxide in the air [mg/m³]",
    "O3": "ground level ozone [µg/m³]",
    "TEMP": "temperature outdoors [degF]",
    "PRES": "barometric pressure [kPa]",
    "DEWP": "dew point [degF]",
    "RAIN": "rainfall [mm]",
    "WSPM": "speed of the wind [km/h]",
    "wind_sin": "direction of the wind (sine)",
    "wind_cos": "direction of the wind (cosine)",
    "hour_sin": "time of day (sine)",
    "hour_cos": "time of day (cosine)",
}
# What a user's numbers are, given an owner's: (value - offset) * factor.
AIR_UNITS = {
    "CO": (0.0, 1e-3),
    "TEMP": (-160.0 / 9.0, 1.8),
    "PRES": (0.0, 0.1),
    "DEWP": (-160.0 / 9.0, 1.8),
    "WSPM": (0.0, 3.6),
}

JUICE_OWNERS = {
    "own_price": "own_price: shelf price of the product",
    "deal": "deal: the product has an in-store coupon",
    "feat": "feat: the product is featured in advertisements",
    **{f"price{n}": f"price{n}: shelf price of brand {n}" for n in range(1, 12)},
    "sold1": "sold1: logarithm of the units sold 1 week ago",
    "sold2": "sold2: logarithm of the units sold 2 weeks ago",
    "sold3": "sold3: logarithm of the units sold 3 weeks ago",
    **{f"brand_{n}": f"brand_{n}: the product is of brand {n} (0 or 1)" for n in range(1, 12)},
}
JUICE_USERS = {
    "own_price": "price of the item itself",
    "deal": "item on special offer, coupon deal in the shop",
    "feat": "item shown in newspaper advertising",
    "others": "mean price of the competing items",
    "relative": "price of the item over the mean price of its competitors",
    "sold1": "log sales, lag 1",
    "sold2": "log sales, lag 2",
    **{f"brand_{n}": f"item belongs to brand {n}" for n in range(1, 12)},
}
CHEESE_OWNERS = {
    "price": "price: price of a pound of cheese",
    "display": "display: share of shops with a display of the product",
    "sold1": "sold1: logarithm of the pounds sold 1 week ago",
    "sold2": "sold2: logarithm of the pounds sold 2 weeks ago",
}
CHEESE_USERS = {
    "price": "cheese price",
    "display": "display activity for the cheese",
    "sold1": "log volume of sales, lag 1",
    "sold2": "log volume of sales, lag 2",
}
DIABETES = {
    "age": ("age: age in years", "how old the patient is"),
    "sex": ("sex: sex of the patient", "gender"),
    "bmi": ("bmi: body mass index", "BMI of the patient"),
    "bp": ("bp: average blood pressure", "mean arterial blood pressure"),
    "s1": ("s1: total serum cholesterol", "cholesterol in total"),
    "s2": ("s2: low-density lipoproteins", "LDL"),
    "s3": ("s3: high-density lipoproteins", "HDL"),
    "s4": ("s4: total cholesterol divided by HDL", "ratio of total cholesterol to HDL"),
    "s5": ("s5: log of serum triglycerides level", "triglycerides in the blood, logarithm"),
    "s6": ("s6: blood sugar level", "blood glucose"),
}
WINE = {
    "alcohol": ("alcohol: alcohol content", "percentage of alcohol"),
    "malic_acid": ("malic_acid: malic acid", "content of malic acid"),
    "ash": ("ash: ash", "ash content"),
    "alcalinity_of_ash": ("alcalinity_of_ash: alcalinity of ash", "how alkaline the ash is"),
    "magnesium": ("magnesium: magnesium", "content of magnesium"),
    "total_phenols": ("total_phenols: total phenols", "phenols in total"),
    "flavanoids": ("flavanoids: flavanoids", "flavonoid content"),
    "nonflavanoid_phenols": ("nonflavanoid_phenols: nonflavanoid phenols", "phenols that are no flavonoids"),
    "proanthocyanins": ("proanthocyanins: proanthocyanins", "proanthocyanidins"),
    "color_intensity": ("color_intensity: colour intensity", "intensity of the colour"),
    "hue": ("hue: hue", "hue of the wine"),
    "od280/od315_of_diluted_wines": ("od: OD280/OD315 of diluted wines", "optical density ratio 280/315"),
    "proline": ("proline: proline", "content of proline"),
}


def breast_cancer(column: str) -> tuple[str, str]:
    """An owner's and a user's words for a column such as ``mean radius``, ``radius error`` or ``worst radius``."""
    if column.startswith("mean "):
        return column, f"{column.removeprefix('mean ')} of the cell nuclei, average"
    if column.startswith("worst "):
        return column, f"{column.removeprefix('worst ')} of the cell nuclei, largest"
    return column, f"{column.removesuffix(' error')} of the cell nuclei, standard error"
