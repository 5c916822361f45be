"""The photo's camera, the moves it can make and how far it may go."""
