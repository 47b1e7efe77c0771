import pytest

from seg_vton.errors import UserError, exit_on_user_error


def test_a_user_error_ends_the_process_with_its_message(capsys):
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        raise UserError("photo.jpg is not an image")
    assert ended.value.code == "error: photo.jpg is not an image"  # Python prints it on stderr and exits with 1


def test_other_errors_keep_their_traceback():
    with pytest.raises(ValueError, match="ours"), exit_on_user_error():
        raise ValueError("ours")


def test_nothing_happens_without_an_error():
    with exit_on_user_error():
        result = 3
    assert result == 3


def test_a_user_error_is_a_value_error():
    assert issubclass(UserError, ValueError)
