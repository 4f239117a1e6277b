export OMP_NUM_THREADS=1 ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2
case $1 in
a) .venv/bin/python try1.py tiny 100,101 num_epochs=6 fade=2 
   .venv/bin/python try1.py tiny 100,101 num_epochs=6 fade=2 factored=True "stages=(((6,5),),(6,6,6),(3,))" ;;
b) .venv/bin/python try1.py tiny 100,101 num_epochs=6 fade=2 factored=True "stages=(((7,5),),(7,7,7),(3,))" 
   .venv/bin/python try1.py tiny 100,101 num_epochs=6 fade=2 muon_lr=0.05 factored=True "stages=(((7,5),),(7,7,7),(3,))" ;;
esac
