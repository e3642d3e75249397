// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Set;

/** The arrows of the design: between modules, between core's packages, and around everything that may crash the JVM. */
@AnalyzeClasses(packages = "io.vfio4j", importOptions = DoNotIncludeTests.class)
class ArchitectureTest {
    private static final String BASE = "io.vfio4j.";

    /** The methods of java.lang.foreign that the JDK calls restricted. */
    private static final Set<String> RESTRICTED = Set.of(
            "java.lang.foreign.Linker.downcallHandle",
            "java.lang.foreign.Linker.upcallStub",
            "java.lang.foreign.MemorySegment.reinterpret",
            "java.lang.foreign.AddressLayout.withTargetLayout",
            "java.lang.foreign.SymbolLookup.libraryLookup",
            "java.lang.System.load",
            "java.lang.System.loadLibrary");

    @ArchTest
    static final ArchRule arrowsPointOneWay = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("ffm")
            .definedBy(BASE + "ffm..")
            .layer("buffer")
            .definedBy(BASE + "buffer..")
            .layer("device")
            .definedBy(BASE + "device..")
            .layer("dirty")
            .definedBy(BASE + "dirty..")
            .layer("stream")
            .definedBy(BASE + "stream..")
            .layer("transport")
            .definedBy(BASE + "transport..")
            .layer("observe")
            .definedBy(BASE + "observe..")
            .layer("migration")
            .definedBy(BASE + "migration..")
            .layer("emulator")
            .definedBy(BASE + "emulator..")
            .layer("cli")
            .definedBy(BASE + "cli..")
            .optionalLayer("bench")
            .definedBy(BASE + "bench..")
            .whereLayer("ffm")
            .mayNotAccessAnyLayer()
            .whereLayer("observe")
            .mayNotAccessAnyLayer()
            .whereLayer("buffer")
            .mayOnlyAccessLayers("ffm")
            .whereLayer("device")
            .mayOnlyAccessLayers("ffm")
            .whereLayer("dirty")
            .mayOnlyAccessLayers("ffm")
            .whereLayer("stream")
            .mayOnlyAccessLayers("buffer")
            .whereLayer("transport")
            .mayOnlyAccessLayers("ffm")
            .whereLayer("migration")
            .mayOnlyAccessLayers("ffm", "buffer", "device", "dirty", "stream", "transport", "observe")
            .whereLayer("emulator")
            .mayOnlyAccessLayers("ffm", "buffer", "device", "stream", "transport", "observe", "migration")
            .whereLayer("cli")
            .mayNotBeAccessedByAnyLayer();

    @ArchTest
    static final ArchRule packagesHaveNoCycles =
            slices().matching(BASE + "(**)").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule restrictedCallsStayInTheBindings = noClasses()
            .that()
            .resideOutsideOfPackage(BASE + "ffm..")
            .should()
            .accessTargetWhere(describe("it is a restricted method", ArchitectureTest::isRestricted));

    @ArchTest
    static final ArchRule libraryNeedsNothingButTheJdk = classes()
            .that()
            .resideInAnyPackage(
                    BASE + "ffm..",
                    BASE + "buffer..",
                    BASE + "device..",
                    BASE + "dirty..",
                    BASE + "stream..",
                    BASE + "transport..",
                    BASE + "observe..",
                    BASE + "migration..")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage("java..", "jdk.jfr..", "io.vfio4j..", "org.jspecify.annotations..");

    @ArchTest
    static final ArchRule criticalCallsAreUsedNowhere = noClasses()
            .should()
            .accessTargetWhere(describe(
                    "it is Linker.Option.critical",
                    access -> access.getTarget().getName().equals("critical")
                            && access.getTargetOwner().getName().startsWith("java.lang.foreign.Linker")));

    private static boolean isRestricted(JavaAccess<?> access) {
        return RESTRICTED.contains(
                access.getTargetOwner().getName() + "." + access.getTarget().getName());
    }
}
