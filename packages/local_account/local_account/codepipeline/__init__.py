"""CodePipeline V2 that really runs: stages with locks, approvals, CloudFormation, rollback.

Start reading at `operations.py` (the API), then `engine.py` (how an execution moves through its stages), `change_detection.py` (which
pushes start one) and `actions/` (what each provider does). Nothing of moto's CodePipeline is used except its protocol.
"""
