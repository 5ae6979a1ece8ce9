"""The shapes of bodies and answers: what openapi/ says, in one place a subject.

Bodies refuse fields they do not know. Answers are written by `encoding` and only
described here; a test holds the two together.
"""
