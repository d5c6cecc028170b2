package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// podWord, on a pod (so in a template's metadata), says what becomes of it. Without it a pod runs
// and is ready at once, and one that is to end (restartPolicy Never or OnFailure) has succeeded.
// It may change, or go, while the pod lives.
const podWord = "test.leeboard.dev/pod"

const (
	modePending   = "pending"          // no node has room. Also on a claim: no volume
	modeUnready   = "unready"          // runs, never ready
	modeImage     = "imagepullbackoff" // no image
	modeCrashLoop = "crashloop"        // ends with 1, again and again
	modeFail      = "fail"             // ends with 1; one that restarts always is a crash loop
	modeRun       = "run"              // runs and is ready, also where it would have succeeded
)

var modes = []string{"", modePending, modeUnready, modeImage, modeCrashLoop, modeFail, modeRun}

var nodeLabels = map[string]string{
	"kubernetes.io/hostname": nodeName, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
}

const nodeAddress = "192.0.2.1"

// pod takes one step of a pod's life; the event that follows brings the next.
func (s *standIn) pod(ctx context.Context, p *corev1.Pod) error {
	pods := s.client.CoreV1().Pods(p.Namespace)
	if p.DeletionTimestamp != nil {
		if p.DeletionGracePeriodSeconds != nil && *p.DeletionGracePeriodSeconds == 0 {
			return nil // only finalizers hold it
		}
		now := metav1.NewPreconditionDeleteOptions(string(p.UID))
		now.GracePeriodSeconds = new(int64)
		return pods.Delete(ctx, p.Name, *now)
	}
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return nil
	}
	mode := p.Annotations[podWord]
	if !slices.Contains(modes, mode) {
		return s.unscheduled(ctx, p, fmt.Sprintf("annotation %s: '%s' is none of %q", podWord, mode, modes[1:]))
	}
	if p.Spec.NodeName == "" {
		switch {
		case len(p.Spec.SchedulingGates) > 0:
			return nil
		case mode == modePending:
			return s.unscheduled(ctx, p, "0/1 nodes are available: 1 Insufficient cpu.")
		case !labels.SelectorFromSet(p.Spec.NodeSelector).Matches(labels.Set(nodeLabels)):
			return s.unscheduled(ctx, p, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.")
		}
		return pods.Bind(ctx, &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace, UID: p.UID},
			Target:     corev1.ObjectReference{Kind: "Node", Name: nodeName},
		}, metav1.CreateOptions{})
	}
	return s.putStatus(ctx, p, podStatus(p, mode, metav1.Now()))
}

func (s *standIn) unscheduled(ctx context.Context, p *corev1.Pod, message string) error {
	status := p.Status.DeepCopy()
	status.Phase = corev1.PodPending
	setCondition(status, corev1.PodScheduled, false, corev1.PodReasonUnschedulable, message, metav1.Now())
	return s.putStatus(ctx, p, status)
}

func (s *standIn) putStatus(ctx context.Context, p *corev1.Pod, status *corev1.PodStatus) error {
	if equality.Semantic.DeepEqual(&p.Status, status) {
		return nil
	}
	p = p.DeepCopy()
	p.Status = *status
	_, err := s.client.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{})
	return err
}

// podStatus is what a kubelet would report of a pod that was given to it. What did not change
// keeps its times, so that the same answer comes out as often as it is asked.
func podStatus(p *corev1.Pod, mode string, now metav1.Time) *corev1.PodStatus {
	status := p.Status.DeepCopy()
	if status.StartTime == nil {
		status.StartTime = &now
	}
	now = *status.StartTime
	ends := p.Spec.RestartPolicy != corev1.RestartPolicyAlways
	if mode == modeFail && !ends {
		mode = modeCrashLoop
	}
	exit := int32(0)
	if mode == modeFail || mode == modeCrashLoop {
		exit = 1
	}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: exit, Reason: map[bool]string{true: "Error", false: "Completed"}[exit != 0],
		StartedAt: now, FinishedAt: now, ContainerID: "test://" + string(p.UID),
	}}
	state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	last := corev1.ContainerState{}
	restarts := int32(0)
	ready := mode != modeUnready
	phase := corev1.PodRunning

	switch {
	case mode == modeImage:
		phase, ready = corev1.PodPending, false
		state = waiting("ImagePullBackOff", "Back-off pulling image: not found")
	case mode == modeCrashLoop:
		ready, restarts, last = false, 5, ended
		state = waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container")
	case ends && mode == modeFail:
		phase, ready, state = corev1.PodFailed, false, ended
	case ends && mode == "":
		phase, ready, state = corev1.PodSucceeded, false, ended
	}
	status.Phase = phase
	status.HostIP = nodeAddress
	status.HostIPs = []corev1.HostIP{{IP: nodeAddress}}
	if status.PodIP == "" {
		status.PodIP = podAddress(string(p.UID))
		status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	}
	status.ContainerStatuses = nil
	for _, c := range p.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, containerStatus(c, state, last, ready, restarts))
	}
	status.InitContainerStatuses = nil
	for _, c := range p.Spec.InitContainers {
		run := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
		if c.RestartPolicy == nil || phase == corev1.PodSucceeded || phase == corev1.PodFailed {
			run = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Reason: "Completed", StartedAt: now, FinishedAt: now, ContainerID: "test://" + string(p.UID)}}
		}
		status.InitContainerStatuses = append(status.InitContainerStatuses, containerStatus(c, run, corev1.ContainerState{}, true, 0))
	}
	reason, message := "", ""
	switch {
	case phase == corev1.PodSucceeded:
		reason = "PodCompleted"
	case phase == corev1.PodFailed:
		reason = "PodFailed"
	case !ready:
		reason, message = "ContainersNotReady", fmt.Sprintf("containers with unready status: %v", containerNames(p))
	}
	setCondition(status, corev1.PodScheduled, true, "", "", now)
	setCondition(status, corev1.PodInitialized, true, "", "", now)
	setCondition(status, corev1.ContainersReady, ready, reason, message, metav1.Now())
	setCondition(status, corev1.PodReady, ready, reason, message, metav1.Now())
	return status
}

func containerStatus(c corev1.Container, state, last corev1.ContainerState, ready bool, restarts int32) corev1.ContainerStatus {
	started := state.Running != nil
	return corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, ImageID: "test://" + c.Image, State: state, LastTerminationState: last,
		Ready: ready, Started: &started, RestartCount: restarts,
	}
}

func containerNames(p *corev1.Pod) (names []string) {
	for _, c := range p.Spec.Containers {
		names = append(names, c.Name)
	}
	return names
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func setCondition(status *corev1.PodStatus, kind corev1.PodConditionType, yes bool, reason, message string, now metav1.Time) {
	want := corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, Reason: reason, Message: message, LastTransitionTime: now}
	if yes {
		want.Status = corev1.ConditionTrue
	}
	for i, c := range status.Conditions {
		if c.Type != kind {
			continue
		}
		if c.Status == want.Status {
			want.LastTransitionTime = c.LastTransitionTime
		}
		want.ObservedGeneration = c.ObservedGeneration
		status.Conditions[i] = want
		return
	}
	status.Conditions = append(status.Conditions, want)
}

// podAddress is made from the pod's uid, so that a restart of this program gives none away twice
// but by chance.
func podAddress(uid string) string {
	h := fnv.New32a()
	h.Write([]byte(uid))
	n := h.Sum32()
	return fmt.Sprintf("10.%d.%d.%d", 128+(n>>16)%127, (n>>8)&255, n%254+1)
}
