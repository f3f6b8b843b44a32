"""Source of what is deployed to Lambda: boto3 and the standard library only, nothing else of ours.

Each folder in here is one function. It is packaged under its own name at the root of the zip, so that
its relative imports mean the same on Lambda as they do in this checkout.
"""
