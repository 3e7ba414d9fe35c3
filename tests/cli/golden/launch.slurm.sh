#!/bin/bash
#SBATCH --job-name=LeNet5
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --time=1-06:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

# Two minutes before the time is up the job goes back into the queue. Slurm then ends it with SIGTERM, upon which the
# run saves its state; when the job starts again it goes on from there.
trap 'scontrol requeue "$SLURM_JOB_ID"' USR1

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((20000 + SLURM_JOB_ID % 20000))

srun --kill-on-bad-exit=1 torchrun \
    --nnodes=2 --nproc-per-node=4 \
    --rdzv-backend=c10d --rdzv-endpoint="$first:$port" --rdzv-id="$SLURM_JOB_ID" \
    --no-python -- netspec train specs/lenet5_digits.yaml 'train.optimizer=adamw lr=$(1e-3)' --run 'runs/a b' --resume auto &

# A signal interrupts the waiting, not the run.
wait "$!"
code=$?
while kill -0 "$!" 2>/dev/null; do
    wait "$!"
    code=$?
done
exit "$code"
