from analysis.stats import deviation, mean, variance


def test_mean():
    assert mean([1.0, 2.0, 3.0]) == 2.0


def test_variance_of_equal_values_is_zero():
    assert variance([4.0, 4.0]) == 0.0


def test_deviation():
    assert deviation([1.0, 3.0]) == 1.0
