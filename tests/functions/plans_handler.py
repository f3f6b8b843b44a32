"""The source plan's own Lambda function (task 7.5.5.1), as it stands there, kept to be compared with.

Nothing in it was bettered; only the account in the topic's ARN is the sandbox's. It reads one page of
instances, makes a metric call for each, stops all of them in one call, and tells after that.
"""

# Quoted as it stands: neither its style nor its missing types are ours to mend.
# ruff: noqa: ANN001, ANN201, ARG001, D205, D212, DTZ003, I001, Q000, T201
# mypy: ignore-errors
import boto3
from datetime import datetime, timedelta


# fmt: off
def lambda_handler(event, context):
    """
    Auto-shutdown GPU instances that have been idle for 15+ minutes.
    Triggered by CloudWatch Events every 5 minutes.
    """
    ec2 = boto3.client('ec2', region_name='eu-north-1')
    cloudwatch = boto3.client('cloudwatch', region_name='eu-north-1')
    sns = boto3.client('sns', region_name='eu-north-1')

    # Find running instances tagged with Project=Ziggie and Type=GPU
    response = ec2.describe_instances(
        Filters=[
            {'Name': 'instance-state-name', 'Values': ['running']},
            {'Name': 'tag:Project', 'Values': ['Ziggie']},
            {'Name': 'tag:Type', 'Values': ['GPU']}
        ]
    )

    instances_to_stop = []

    for reservation in response['Reservations']:
        for instance in reservation['Instances']:
            instance_id = instance['InstanceId']

            # Check CPU utilization over last 15 minutes
            metrics = cloudwatch.get_metric_statistics(
                Namespace='AWS/EC2',
                MetricName='CPUUtilization',
                Dimensions=[{'Name': 'InstanceId', 'Value': instance_id}],
                StartTime=datetime.utcnow() - timedelta(minutes=15),
                EndTime=datetime.utcnow(),
                Period=300,  # 5 minutes
                Statistics=['Average']
            )

            if metrics['Datapoints']:
                avg_cpu = sum(d['Average'] for d in metrics['Datapoints']) / len(metrics['Datapoints'])

                # If average CPU < 5% over 15 minutes, consider idle
                if avg_cpu < 5.0:
                    instances_to_stop.append(instance_id)
                    print(f"Instance {instance_id} idle (CPU: {avg_cpu:.1f}%), marking for shutdown")

    # Stop idle instances
    if instances_to_stop:
        ec2.stop_instances(InstanceIds=instances_to_stop)

        # Send notification
        sns.publish(
            TopicArn='arn:aws:sns:eu-north-1:123456789012:ziggie-alerts',
            Subject='Ziggie GPU Auto-Shutdown',
            Message=f'Stopped idle GPU instances: {", ".join(instances_to_stop)}'
        )

        return {
            'statusCode': 200,
            'body': f'Stopped {len(instances_to_stop)} idle instances'
        }

    return {
        'statusCode': 200,
        'body': 'No idle instances found'
    }
