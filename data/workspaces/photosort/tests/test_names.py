from photosort.names import numbered, unique


def test_numbers_go_before_the_suffix():
    assert numbered("beach.jpg", 2) == "beach-2.jpg"


def test_free_names_stay():
    assert unique("beach.jpg", set()) == "beach.jpg"
