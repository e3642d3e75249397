// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * A handler, and a thread for its calls, while no state goes: before a migration begins, and when a doubt is resolved.
 *
 * @param handler the handler
 * @param worker its thread
 */
record LoneHandler(KnownHandler handler, Worker worker) implements Crew.Member {

    /**
     * Does steps with all of them beside each other, each when all have done the one before.
     *
     * @param task what that is about, for the threads' names
     * @param impatient whether nobody wants to wait so long any more
     * @throws MigrationException the first failure, when all have ended; the others' are suppressed in it
     */
    static void all(
            String task,
            List<KnownHandler> handlers,
            List<Crew.Named<KnownHandler>> steps,
            Execution execution,
            MigrationParameters parameters,
            BooleanSupplier impatient)
            throws MigrationException {
        Crew<LoneHandler> crew = new Crew<>(execution, parameters.handlerLimit().toNanos(), impatient);
        try {
            for (KnownHandler handler : handlers) {
                crew.add(new LoneHandler(handler, new Worker(execution, task, handler.name(), null)));
            }
            for (Crew.Named<KnownHandler> step : steps) {
                crew.all(step.name(), lone -> step.step().run(lone.handler), () -> {});
            }
        } finally {
            crew.dismiss();
        }
    }

    @Override
    public String name() {
        return handler.name();
    }
}
