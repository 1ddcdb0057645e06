"""What the deploy pipeline runs (render, verify, still_approved), and an approver's commands (approve, status).

Start reading at `render.buildspec.yml`. Each script is plain boto3 against whichever account the environment names.
"""
