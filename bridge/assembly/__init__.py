"""Parts of the application that are put together by themselves; `bridge.app` puts all together."""
