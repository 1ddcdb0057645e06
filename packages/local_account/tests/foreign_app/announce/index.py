"""Writes the greeting to the bucket and announces it."""

import os

import boto3


def handler(event, context):
    greeting = boto3.client("ssm").get_parameter(Name=os.environ["PARAMETER"])["Parameter"]["Value"]
    text = f"{greeting}, {event['name']}"
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="greeting.txt", Body=text.encode())
    boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Message=text)
    return {"said": text}
