"""The function of `../app.py`."""

import os


def handler(event, context):
    return {"account": context.invoked_function_arn.split(":")[4], "region": os.environ["AWS_REGION"]}
