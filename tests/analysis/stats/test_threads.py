"""Small fits take one thread of the linear algebra library, and give the others back."""

from threadpoolctl import threadpool_info, threadpool_limits

from analysis.stats.threads import on_one_thread


def threads() -> set[int]:
    """Threads of the linear algebra libraries that are loaded."""
    found = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
    assert found, "no linear algebra library is loaded"
    return found


def test_a_decorated_function_runs_on_one_thread_and_keeps_its_name_and_result():
    @on_one_thread
    def square(value: float, *, plus: float = 0.0) -> tuple[float, set[int]]:
        """Doc."""
        return value**2 + plus, threads()

    with threadpool_limits(2, user_api="blas"):
        assert threads() == {2}
        assert square(3.0, plus=1.0) == (10.0, {1})
        assert threads() == {2}
    assert (square.__name__, square.__doc__) == ("square", "Doc.")
