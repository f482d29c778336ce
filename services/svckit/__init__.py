"""What every service of the suite shares: clock, settings, errors, HTTP and CLI plumbing.

Nothing of the domain lives here: no canary, no vote, no metric name.
"""
