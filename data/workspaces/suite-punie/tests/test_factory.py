from factory import make_agent, make_greeting, make_team


def test_retries_default_to_three():
    assert make_agent("Ada").retries == 3


def test_retries_can_be_chosen():
    assert make_agent("Ada", 5).retries == 5


def test_greeting_names_the_agent():
    assert make_greeting("Ada") == "Hello, I am Ada."


def test_team_has_one_agent_for_each_name():
    assert [agent.name for agent in make_team(["Ada", "Bob"])] == ["Ada", "Bob"]
