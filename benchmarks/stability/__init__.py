"""Does the default recipe stay healthy, and does more computing make better pictures?"""
