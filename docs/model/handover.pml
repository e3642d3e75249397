/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The handover of a machine with two devices from a source to a destination, with everything that can go wrong in it.
 *
 * README.md says which Java class each process stands for, what is left out, and how to run it (./check).
 *
 * MUTATION_n builds in a mistake, each of which breaks a property.
 */

#define SRC 0
#define DST 1
#define D(side, i) ((side) * 2 + (i))

/*
 * Where a device is. PRE_COPY counts as RUNNING, PRE_COPY_P2P as RUNNING_P2P and STOP_COPY as STOP. RESET: nothing of
 * the guest is in it, so that it may run. RELEASED: the guest's state is in it, and nobody cares any more.
 */
mtype:device = { RUNNING, RUNNING_P2P, STOP, RESUMING, RESET, RELEASED };
mtype:message = { M_LOADED, M_COMMIT, M_RUNNING, M_ABORT };
mtype:stage = { ACTIVE, COMMITTED, IN_DOUBT, ENDED };
mtype:verdict = { NONE, KEEP_STOPPED, RESUME_SOURCE };

mtype:device dev[4] = { RUNNING, RUNNING, RESUMING, RESUMING };
bool hung[4];           /* a driver keeps the thread in an arc, and nobody waits for it any more */
mtype:device goal[4] = RESET;   /* where that arc leads, should it ever end */
bool givenUp[4];        /* it has hung, and the caller was told to reset it */
bool vm[2] = { true, false };     /* the virtual CPUs run */
bool crashed[2];
mtype:stage stage[2] = ACTIVE;
mtype:verdict verdict = NONE;

/* The link. A message that was sent arrives later, or not at all; who waits for one can give up at any time. */
chan toDestination = [2] of { mtype:message };
chan toSource = [3] of { mtype:message };
bool endArrived[2];

bool takingBack;        /* the source does: a device that was reset runs again, and the guest can live with that */

/* History, for the properties only */
bool taken;             /* COMMIT has arrived */
bool committed;         /* COMMIT may have been sent */
bool ran;               /* the virtual CPUs have run at the destination */
bool abortSeen;         /* the source, in doubt, has the destination's word that it does not run */
bool lost[2];           /* a device of this side had to be reset by its own failure */
bool said[2];           /* this side has said what does not run, is not reset or is held */
bool holdsState;

#define isActive(d) (dev[d] == RUNNING || dev[d] == RUNNING_P2P)
#define isRunner(side) (vm[side] || isActive(D(side, 0)) || isActive(D(side, 1)))
#define holds(d) (dev[d] == RUNNING || dev[d] == RUNNING_P2P || dev[d] == STOP)
#define isWhole(side) (holds(D(side, 0)) && holds(D(side, 1)))
#define mayRunWithVm(d) (dev[d] == RUNNING || dev[d] == RESET)
#define listens(side) (!crashed[side] && (stage[side] == ACTIVE || stage[side] == COMMITTED))
#define anyHangs(side) (hung[D(side, 0)] || hung[D(side, 1)])

/* What must hold here. The message shows in the counterexample. */
#define REQUIRE(what, condition) \
    if \
    :: (condition) \
    :: else -> printf(what); assert(false) \
    fi

/* What comes about, or else all of this says nothing: "check" looks whether it is reached. */
#define REACHED(what) printf(what)

/* ---- devices ---- */

/* What may not be asked of a device because of the other one of its machine: the two phases. */
inline requireTogether(side, i, target) {
    REQUIRE("a device is to run beside one that is stopped",
        target != RUNNING || (dev[D(side, 1 - i)] != STOP && dev[D(side, 1 - i)] != RESUMING));
    REQUIRE("a device is to stop beside one that runs",
        target != STOP || dev[D(side, 1 - i)] != RUNNING || givenUp[D(side, 1 - i)])
}

inline resetByFault(side, i) {
    failed = failed || side == DST || !takingBack;
    dev[D(side, i)] = RESET;
    lost[side] = true
}

inline hangs(side, i, target) {
    failed = true;
    hung[D(side, i)] = true;
    givenUp[D(side, i)] = true;
    goal[D(side, i)] = target
}

/*
 * VfioDevice.setState(target, recover): it is done; or it fails and the device is led to the recover state; or it
 * can only be reset; or the driver does not come back. Who hangs takes no part.
 */
inline arc(side, i, target, recover) {
    if
    :: hung[D(side, i)] -> failed = true
    :: else ->
        requireTogether(side, i, target);
        if
        :: dev[D(side, i)] = target
        :: failed = true;
            requireTogether(side, i, recover);
            dev[D(side, i)] = recover
        :: resetByFault(side, i)
        :: hangs(side, i, target)
        fi
    fi
}

/* Crew.all and Crew.allThatCan: both devices do a step, beside each other. What fails is in "failed". */
#define CREW(step, side) \
    todo = 3; \
    do \
    :: atomic { todo & 1 -> step(side, 0); todo = todo & 2 } \
    :: atomic { todo & 2 -> step(side, 1); todo = todo & 1 } \
    :: todo == 0 -> break \
    od

#ifdef MUTATION_16
#define AFTER_FAILED_RUN STOP
#else
#define AFTER_FAILED_RUN RUNNING_P2P
#endif

inline quiesce(side, i) { arc(side, i, RUNNING_P2P, RUNNING) }
inline unquiesce(side, i) { arc(side, i, RUNNING, RUNNING) }

inline stop(side, i) {
#ifdef MUTATION_5
    /* Each device goes all the way by itself. */
    arc(side, i, RUNNING_P2P, RUNNING);
#endif
    arc(side, i, STOP, STOP)
}

inline resumeQuiesced(side, i) {
    if
    :: dev[D(side, i)] == STOP && !hung[D(side, i)] -> arc(side, i, RUNNING_P2P, STOP)
    :: hung[D(side, i)] -> failed = true
    :: else
    fi
}

inline resume(side, i) {
    if
    :: (dev[D(side, i)] == STOP || dev[D(side, i)] == RUNNING_P2P) && !hung[D(side, i)] ->
        arc(side, i, RUNNING, AFTER_FAILED_RUN)
    :: hung[D(side, i)] -> failed = true
    :: else
    fi
}

/* ---- the link ---- */

/* A write that fails may have arrived; one that succeeds need not, when the connection is gone and nobody knows yet. */
inline send(link, message, listener) {
    if
    :: listens(listener) -> link!message; worked = true
    :: listens(listener) -> link!message; worked = false
    :: worked = true
    :: worked = false
    fi
}

/* The last word to the other side, if it can still be said. */
inline abort(link, listener) {
    if
    :: listens(listener) -> link!M_ABORT
    :: true
    fi
}

inline clear(link) {
    do
    :: link?_
    :: empty(link) -> break
    od
}

/* The side's run() is over, and its connections are closed. */
inline ends(side, in) {
    stage[side] = ENDED;
    failed = false;
    clear(in)
}

/* ---- the source ---- */

inline sendEnd(side, i) {
    if
    :: endArrived[i] = true
    :: endArrived[i] = true; failed = true
    :: failed = true
    :: skip
    fi
}

inline release() {
    dev[D(SRC, 0)] = RELEASED;
    dev[D(SRC, 1)] = RELEASED
}

active proctype Source() {
    byte todo;
    bool failed;
    bool worked;
    bool vmStopped;
    bool withdrawn;

    {
        skip;
preCopy:
        if
        :: skip
        :: goto failing
        :: atomic { hangs(SRC, 0, RUNNING); goto failing }
        fi;
        atomic {
            vmStopped = true;
            if
            :: vm[SRC] = false
            :: vm[SRC] = false; goto failing
            :: goto failing
            fi
        }
#ifndef MUTATION_5
        CREW(quiesce, SRC);
        if
        :: failed -> goto failing
        :: !failed
        :: !failed && !withdrawn ->
            /* A device has new initial data: REINIT. */
            withdrawn = true;
            CREW(unquiesce, SRC);
            if
            :: failed -> goto failing
            :: !failed -> goto failing      /* the virtual machine cannot be resumed */
            :: atomic {
                !failed -> vm[SRC] = true;
                vmStopped = false;
                REACHED("the switchover is withdrawn");
                goto preCopy
            }
            fi
        fi;
        withdrawn = false;
#endif
        CREW(stop, SRC);
        if
        :: failed -> goto failing
        :: else
        fi;
        CREW(sendEnd, SRC);
        if
        :: failed -> goto failing
        :: else
        fi;
        if
        :: toSource?M_LOADED
        :: toSource?M_ABORT -> goto failing
        :: goto failing
        fi;
        if
        :: goto failing                     /* cancelled */
        :: atomic { stage[SRC] = COMMITTED; committed = true }
        fi;
        atomic {
            send(toDestination, M_COMMIT, DST);
            if
            :: worked -> worked = false
#ifdef MUTATION_9
            /* A write that failed is taken for one that did not happen. */
            :: else -> stage[SRC] = ACTIVE; committed = false; goto failing
#else
            :: else -> goto inDoubt
#endif
            fi
        }
#ifdef MUTATION_8
        /* It lets go before it has heard that all runs there. */
        atomic { release() }
#endif
        if
        :: toSource?M_RUNNING
        :: atomic { toSource?M_ABORT -> abortSeen = true; goto inDoubt }
        :: goto inDoubt
#ifdef MUTATION_7
        /* It can be cancelled even now. */
        :: goto failing
#endif
        fi;
        atomic {
            release();
            ends(SRC, toSource);
            goto done
        }

failing:
        atomic {
            abort(toDestination, DST);
            failed = false;
            withdrawn = false;
            takingBack = true
        }
takeBack:
#ifndef MUTATION_4
        CREW(resumeQuiesced, SRC);
#endif
        if
#ifdef MUTATION_15
        :: true ->
#else
        :: !failed || !vmStopped ->
#endif
            CREW(resume, SRC)
        :: else
        fi;
        atomic {
            if
            :: !vmStopped
#ifdef MUTATION_12
            :: vmStopped -> vm[SRC] = true
#else
            :: vmStopped && !failed -> vm[SRC] = true
#endif
#ifndef MUTATION_14
            :: vmStopped && failed -> said[SRC] = true
            :: vmStopped && !failed -> said[SRC] = true     /* the virtual machine cannot be resumed */
#else
            /* Nobody is told. */
            :: vmStopped && failed
            :: vmStopped && !failed
#endif
            fi;
            vmStopped = false;
            takingBack = false;
            ends(SRC, toSource);
            goto done
        }

inDoubt:
        atomic {
            stage[SRC] = IN_DOUBT;
            clear(toSource)
        }
#ifdef MUTATION_1
        /* A timer ends the doubt. */
        if
        :: goto takeBack
        :: skip
        fi;
#endif
        if
        :: verdict == KEEP_STOPPED -> release()
        :: verdict == RESUME_SOURCE ->
            atomic { resumeQuiesced(SRC, 0) }
            atomic { if :: !failed -> resumeQuiesced(SRC, 1) :: else fi }
            atomic { if :: !failed -> resume(SRC, 0) :: else fi }
            atomic { if :: !failed -> resume(SRC, 1) :: else fi }
            if
            :: !failed -> vm[SRC] = true
#ifdef MUTATION_17
            /* It does not say that it failed. */
            :: failed
#else
            :: !failed -> said[SRC] = true          /* the virtual machine cannot be resumed */
            :: failed -> said[SRC] = true
#endif
            fi
        fi;
        atomic {
            vmStopped = false;
            ends(SRC, toSource)
        }
    } unless {
        crashed[SRC]
    }
done:
    skip
}

/* ---- the destination ---- */

/* ResumingSession.finish: the driver's own validation; a device that refuses is reset. */
inline loadFinish(side, i) {
    if
    :: dev[D(side, i)] = STOP
    :: resetByFault(side, i)
    :: hangs(side, i, STOP)
    fi
}

inline discard(side, i) {
    if
    :: hung[D(side, i)] -> said[side] = true
    :: !hung[D(side, i)] -> dev[D(side, i)] = RESET
    :: !hung[D(side, i)] -> said[side] = true
    fi
}

/* The first of two steps down, for the devices may run already; what cannot be kept is reset. */
inline holdQuiesced(side, i) {
    if
    :: hung[D(side, i)] -> failed = true
    :: !hung[D(side, i)] && dev[D(side, i)] == RUNNING ->
        if
        :: dev[D(side, i)] = RUNNING_P2P
        :: resetByFault(side, i)
        :: hangs(side, i, RUNNING_P2P)
        fi
    :: else
    fi
}

inline hold(side, i) {
    if
    :: !hung[D(side, i)] && (isActive(D(side, i)) || dev[D(side, i)] == STOP) ->
        requireTogether(side, i, STOP);
        if
        :: dev[D(side, i)] = STOP
        :: resetByFault(side, i)
        :: hangs(side, i, STOP)
        fi
    :: else -> failed = true
    fi
}

active proctype Destination() {
    byte todo;
    bool failed;
    bool worked;

    {
        if
        :: endArrived[0] && endArrived[1]
        :: goto failing
        fi;
#ifdef MUTATION_3
        /* It says LOADED when one of the devices has been checked. */
        atomic { loadFinish(DST, 0) }
#else
        CREW(loadFinish, DST);
#endif
        if
        :: failed -> goto failing
        :: !failed -> goto failing          /* cancelled */
        :: !failed
        fi;
        atomic {
            send(toSource, M_LOADED, SRC);
            if
            :: worked -> worked = false
            :: else -> goto failing
            fi
        }
        if
        :: toDestination?M_COMMIT
        :: toDestination?M_ABORT -> goto failing
        :: goto failing
#ifdef MUTATION_2
        /* It does not wait for COMMIT. */
        :: true
#endif
        fi;
        atomic {
            stage[DST] = COMMITTED;
            taken = true;
            REQUIRE("COMMIT finds a destination that has not all of the state", isWhole(DST))
        }
#ifndef MUTATION_4
        CREW(resumeQuiesced, DST);
        if
        :: failed -> goto holding
        :: else
        fi;
#endif
        CREW(resume, DST);
#ifdef MUTATION_16
        /* It says that all runs before it does. */
        atomic { send(toSource, M_RUNNING, SRC) }
#endif
        if
#ifdef MUTATION_15
        /* It does not look whether all devices run. */
        :: atomic { failed -> vm[DST] = true; ran = true }
#else
        :: failed -> goto holding
#endif
        :: atomic { !failed -> vm[DST] = true; ran = true }
        :: !failed -> goto holding          /* the virtual machine cannot be resumed */
        fi;
        atomic {
            send(toSource, M_RUNNING, SRC);
            if
            :: worked -> worked = false
            :: else -> said[DST] = true
            fi;
            ends(DST, toDestination);
            goto done
        }

failing:
        atomic {
            abort(toSource, SRC);
            failed = false
        }
#ifndef MUTATION_13
        CREW(discard, DST);
#endif
        atomic {
            ends(DST, toDestination);
            goto done
        }

holding:
        failed = false;
#ifdef MUTATION_10
        /* It says that it does not run before it has seen to that. */
        abort(toSource, SRC);
#endif
#ifdef MUTATION_6
        /* It treats the state as if the source went on with it. */
        CREW(discard, DST);
#else
#ifndef MUTATION_17
        CREW(holdQuiesced, DST);
#endif
        CREW(hold, DST);
        atomic {
#ifdef MUTATION_19
            /* It does not look whether all could be kept. */
            holdsState = true;
#else
            holdsState = !failed;
#endif
#ifndef MUTATION_18
            said[DST] = true
#endif
        }
#endif
        abort(toSource, SRC);
        atomic { ends(DST, toDestination) }
    } unless {
        crashed[DST]
    }
done:
    skip
}

/* ---- what neither of them can help ---- */

/* A process is gone: its kernel resets its devices. */
inline crash(side) {
    crashed[side] = true;
    vm[side] = false;
    dev[D(side, 0)] = RESET;
    dev[D(side, 1)] = RESET;
    hung[D(side, 0)] = false;
    hung[D(side, 1)] = false;
    goal[D(side, 0)] = RESET;
    goal[D(side, 1)] = RESET
}

#ifndef CALM
active proctype Crashes() {
end:
    do
    :: atomic { !crashed[SRC] -> crash(SRC) }
    :: atomic { !crashed[DST] -> crash(DST) }
    od
}
#endif

inline comesBack(d) {
    dev[d] = goal[d];
    goal[d] = RESET;
    hung[d] = false
}

/* The arcs that nobody waits for any more: they end at any time, or never. */
active proctype Drivers() {
end:
    do
    :: atomic { hung[D(SRC, 0)] -> comesBack(D(SRC, 0)) }
    :: atomic { hung[D(SRC, 1)] -> comesBack(D(SRC, 1)) }
    :: atomic { hung[D(DST, 0)] -> comesBack(D(DST, 0)) }
    :: atomic { hung[D(DST, 1)] -> comesBack(D(DST, 1)) }
    od
}

/* ---- who decides when the source is in doubt ---- */

#define destinationIsAnswered (crashed[DST] || stage[DST] == ENDED || abortSeen)

#ifdef MUTATION_11
/* It looks while the destination may still begin to run. */
#define truthIsKnown true
#else
#ifdef MUTATION_18
/* It believes the destination, which says that it does not run although a device of it hangs. */
#define truthIsKnown destinationIsAnswered
#else
#define truthIsKnown (destinationIsAnswered && !anyHangs(DST))
#endif
#endif

inline resetGivenUp(d) {
    if
    :: givenUp[d] && !crashed[DST] -> dev[d] = RESET
    :: else
    fi
}

/*
 * The caller of OutgoingMigration.resolve. It waits until the destination's run() is over or its ABORT is there, and until
 * what hung there has come back; that it resets, as it was told. Then it decides by whether the guest has run there.
 */
active proctype Operator() {
end:
    atomic {
        stage[SRC] == IN_DOUBT && !crashed[SRC] && truthIsKnown ->
        if
        :: ran -> verdict = KEEP_STOPPED
        :: else ->
            resetGivenUp(D(DST, 0));
            resetGivenUp(D(DST, 1));
            verdict = RESUME_SOURCE
        fi
    }
}

/* ---- the properties ---- */

#define NEVER(what, bad) :: atomic { (bad) -> printf(what); assert(false) }

/* At every moment. */
active proctype Monitor() {
end:
    do
    NEVER("two sides run the machine", isRunner(SRC) && isRunner(DST))
    NEVER("the guest runs at the source after it has run at the destination", ran && vm[SRC])
    NEVER("the source runs by itself after COMMIT", committed && isRunner(SRC) && verdict != RESUME_SOURCE)
    NEVER("the guest runs at the source beside a device that does not",
        vm[SRC] && !(mayRunWithVm(D(SRC, 0)) && mayRunWithVm(D(SRC, 1))))
    NEVER("the guest runs at the destination beside a device that does not",
        vm[DST] && !(mayRunWithVm(D(DST, 0)) && mayRunWithVm(D(DST, 1))))
    NEVER("the source has let go of what has not run elsewhere",
        !isWhole(SRC) && !crashed[SRC] && !lost[SRC] && !ran)
    NEVER("the destination has let go of what it was given",
        taken && !isWhole(DST) && !crashed[DST] && !lost[DST] && verdict != RESUME_SOURCE)
    od
}

#define isOver(side) (crashed[side] || stage[side] == ENDED)
#define OUTCOME(what, is) :: (is) -> REACHED(what)

/* When both have come to an end; or one is in doubt for good, for what hangs at the other never comes back. */
active proctype Judge() {
end:
    atomic {
        isOver(DST) && (isOver(SRC) || (stage[SRC] == IN_DOUBT && verdict == NONE && anyHangs(DST))) ->
        REQUIRE("a source that has not sent COMMIT neither runs nor says so",
            committed || crashed[SRC] || vm[SRC] || said[SRC]);
        REQUIRE("the source has done its part, and the destination does not run",
            !committed || stage[SRC] != ENDED || verdict == RESUME_SOURCE || vm[DST] || crashed[DST]);
        REQUIRE("the source was resolved to run, and neither runs nor says so",
            verdict != RESUME_SOURCE || crashed[SRC] || vm[SRC] || said[SRC]);
        REQUIRE("the source was resolved to run, and the destination runs", verdict != RESUME_SOURCE || !isRunner(DST));
        REQUIRE("a destination that has got COMMIT neither runs nor says so",
            !taken || crashed[DST] || vm[DST] || said[DST]);
        REQUIRE("a destination that says that it holds the state does not",
            !holdsState || isWhole(DST) || crashed[DST] || verdict == RESUME_SOURCE);
        REQUIRE("a destination that has not got COMMIT keeps what it has loaded, and does not say so",
            taken || crashed[DST] || said[DST] || (dev[D(DST, 0)] == RESET && dev[D(DST, 1)] == RESET));
        if
        OUTCOME("completed", verdict == NONE && committed && !crashed[SRC] && vm[DST])
        OUTCOME("completed, although the source crashed", crashed[SRC] && vm[DST])
        OUTCOME("the source runs on with its whole state", !committed && vm[SRC] && isWhole(SRC))
        OUTCOME("the source runs on with a device that was reset", !committed && vm[SRC] && lost[SRC])
        OUTCOME("the source stays stopped and says so", !committed && !crashed[SRC] && !vm[SRC])
        OUTCOME("the destination is reset",
            !taken && !crashed[DST] && dev[D(DST, 0)] == RESET && dev[D(DST, 1)] == RESET)
        OUTCOME("the destination could not be reset and says so", !taken && !crashed[DST] && dev[D(DST, 0)] != RESET)
        OUTCOME("in doubt, resolved to stay stopped", verdict == KEEP_STOPPED && vm[DST])
        OUTCOME("in doubt, resolved to run, for COMMIT was lost", verdict == RESUME_SOURCE && vm[SRC] && !taken)
        OUTCOME("in doubt, resolved to run, and the destination holds the state",
            verdict == RESUME_SOURCE && vm[SRC] && holdsState && isWhole(DST))
        OUTCOME("in doubt, resolved to run, for the destination lost the state",
            verdict == RESUME_SOURCE && vm[SRC] && taken && !crashed[DST] && !holdsState)
        OUTCOME("in doubt, resolved to run, for the destination crashed",
            verdict == RESUME_SOURCE && vm[SRC] && crashed[DST])
        OUTCOME("in doubt, resolved to run, which fails and is said", verdict == RESUME_SOURCE && !crashed[SRC] && !vm[SRC])
        OUTCOME("in doubt for good, for a device of the destination hangs", stage[SRC] == IN_DOUBT && !crashed[SRC])
        OUTCOME("the source crashed, and the destination holds the state", crashed[SRC] && holdsState)
        OUTCOME("both crashed", crashed[SRC] && crashed[DST])
        :: else
        fi
    }
}
