"""What the build pipeline runs, and the commands a person runs by hand. Start reading at `buildspec.yml`.

Each script is plain boto3 against whichever account the environment names: AWS, or the local one.
"""
