"""Commands of the hub: prepare the home folder, make a sign-in link, and what Django brings."""
