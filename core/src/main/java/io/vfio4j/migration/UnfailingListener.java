// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationProgress;
import io.vfio4j.observe.Phase;

/**
 * Keeps what a listener throws from the migration: who only watches must not be able to undo a handover.
 *
 * @param listener who is told
 */
record UnfailingListener(MigrationListener listener) implements MigrationListener {
    @Override
    public void onListening(String address) {
        quietly(() -> listener.onListening(address));
    }

    @Override
    public void onPhase(Phase phase) {
        quietly(() -> listener.onPhase(phase));
    }

    @Override
    public void onProgress(MigrationProgress progress) {
        quietly(() -> listener.onProgress(progress));
    }

    @Override
    public void onNotice(String text) {
        quietly(() -> listener.onNotice(text));
    }

    private static void quietly(Runnable call) {
        try {
            call.run();
        } catch (RuntimeException | Error e) {
            // Its contract is to throw nothing; there is nobody else to tell.
            return;
        }
    }
}
