module leeboard.dev/tests/bench/floor

go 1.26
