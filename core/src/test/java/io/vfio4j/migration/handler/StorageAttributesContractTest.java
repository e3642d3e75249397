// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.HandlerContract;
import io.vfio4j.migration.MachinePart;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.testing.ScriptedLibC;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;

/** The storage attributes of an s390 guest, by a KVM that a script stands in for. */
class StorageAttributesContractTest extends HandlerContract {
    private static final int PAGES = 70_000;

    private final ScriptedLibC libc = new ScriptedLibC();

    private final class Guest implements MachinePart {
        private final int fd;
        private final ScriptedCmma kvm;
        private final StorageAttributesHandler handler;

        Guest(int pages) {
            fd = libc.eventfd(0, LibC.EFD_CLOEXEC);
            kvm = new ScriptedCmma(pages);
            libc.script(fd, kvm);
            handler = new StorageAttributesHandler("cmma", new CmmaAttributes(libc, fd, pages));
        }

        @Override
        public StateHandler handler() {
            return handler;
        }

        @Override
        public void change(Random random) {
            kvm.change(random.nextInt(PAGES), (byte) random.nextInt());
        }

        @Override
        public Object contents() {
            return Arrays.hashCode(kvm.values());
        }

        @Override
        public void close() {
            libc.close(fd);
        }
    }

    @Override
    protected MachinePart filled(Random random) {
        Guest guest = new Guest(PAGES);
        for (int i = 0; i < PAGES / 2; i++) {
            guest.change(random);
        }
        return guest;
    }

    @Override
    protected MachinePart empty() {
        return new Guest(PAGES);
    }

    @Override
    protected Map<String, Supplier<MachinePart>> misfits() {
        return Map.of("the source's guest has 70000 pages, this one 70001", () -> new Guest(PAGES + 1));
    }
}
